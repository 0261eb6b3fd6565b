package sqlite

import (
	"context"
	"strings"

	"github.com/symbolon/symbolon"
)

// Allow implements symbolon.Store.
func (db *DB) Allow(ctx context.Context, consent symbolon.Consent) error {
	const op = "sqlite: allow"
	return db.write(ctx, op, func(tx *transaction) error { return tx.allow(op, consent) })
}

func (tx *transaction) allow(op string, consent symbolon.Consent) error {
	tx.saw(consent.GrantedAt)
	var no int64
	err := tx.row(`SELECT no FROM account WHERE id = ? AND disabled_at IS NULL`, []any{consent.Account}, &no)
	if missing(err) {
		return symbolon.Errorf(symbolon.Denied, op, "account %s may not allow anything", consent.Account)
	}
	if err != nil {
		return err
	}
	var before string
	grantedAt := millis(consent.GrantedAt)
	err = tx.row(`SELECT scope, granted_at FROM consent WHERE account_no = ? AND client = ? AND granted_at > ?`,
		[]any{no, consent.Client, millis(consent.Since)}, &before, &grantedAt)
	if err != nil && !missing(err) {
		return err
	}
	scope := symbolon.Scopes(strings.Fields(before)).With(consent.Scope)
	_, err = tx.exec(`
		INSERT INTO consent (account_no, client, scope, granted_at) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (account_no, client) DO UPDATE SET scope = ?3, granted_at = ?4`,
		no, consent.Client, scope.String(), grantedAt)
	return err
}

// Consent implements symbolon.Store.
func (db *DB) Consent(ctx context.Context, account symbolon.AccountID, client symbolon.ClientID) (symbolon.Consent, error) {
	const op = "sqlite: consent"
	consent := symbolon.Consent{Account: account, Client: client}
	err := db.read(ctx, op, func(f *file) error {
		var scope string
		var grantedAt int64
		err := f.row(ctx, `
			SELECT consent.scope, consent.granted_at
			FROM account JOIN consent ON consent.account_no = account.no
			WHERE account.id = ? AND consent.client = ?`, []any{account, client}, &scope, &grantedAt)
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
