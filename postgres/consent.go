package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// Allow implements symbolon.Store.
func (db *DB) Allow(ctx context.Context, consent symbolon.Consent) error {
	const op = "postgres: allow"
	db.sweep.saw(consent.GrantedAt)
	return db.write(ctx, op, func(tx *transaction) error { return tx.allow(op, consent) })
}

// allow locks the account: against those who end it, and so that of two that
// allow at once the second adds to what the first has left.
func (tx *transaction) allow(op string, consent symbolon.Consent) error {
	var no int64
	err := tx.row(`SELECT no FROM account WHERE id = $1 AND disabled_at IS NULL FOR NO KEY UPDATE`, []any{string(consent.Account)}, &no)
	if missing(err) {
		return symbolon.Errorf(symbolon.Denied, op, "account %s may not allow anything", consent.Account)
	}
	if err != nil {
		return err
	}
	var before string
	grantedAt := millis(consent.GrantedAt)
	err = tx.row(`SELECT scope, granted_at FROM consent WHERE account_no = $1 AND client = $2 AND granted_at > $3`,
		[]any{no, string(consent.Client), millis(consent.Since)}, &before, &grantedAt)
	if err != nil && !missing(err) {
		return err
	}
	scope := symbolon.Scopes(strings.Fields(before)).With(consent.Scope)
	_, err = tx.exec(`
		INSERT INTO consent (account_no, client, scope, granted_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_no, client) DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at`,
		no, string(consent.Client), scope.String(), grantedAt)
	return err
}

// Consent implements symbolon.Store.
func (db *DB) Consent(ctx context.Context, account symbolon.AccountID, client symbolon.ClientID) (symbolon.Consent, error) {
	const op = "postgres: consent"
	consent := symbolon.Consent{Account: account, Client: client}
	err := db.read(ctx, op, func(ctx context.Context, c *pgxpool.Conn) error {
		var scope string
		var grantedAt int64
		err := c.QueryRow(ctx, `
			SELECT consent.scope, consent.granted_at
			FROM account JOIN consent ON consent.account_no = account.no
			WHERE account.id = $1 AND consent.client = $2`, string(account), string(client)).Scan(&scope, &grantedAt)
		if missing(err) {
			return symbolon.Errorf(symbolon.NotFound, op, "account %s has not allowed app %s", account, client)
		}
		consent.Scope, consent.GrantedAt = strings.Fields(scope), moment(grantedAt)
		return err
	})
	if err != nil {
		return symbolon.Consent{}, err
	}
	return consent, nil
}
