package sqlite

import (
	"context"

	"github.com/symbolon/symbolon"
)

// Connect implements symbolon.Store.
func (db *DB) Connect(ctx context.Context, c symbolon.Connect) (symbolon.ConnectOutcome, error) {
	var outcome symbolon.ConnectOutcome
	err := db.write(ctx, "sqlite: connect", func(tx *transaction) (err error) {
		outcome, err = tx.connect(&c)
		return err
	})
	if err != nil {
		return 0, err
	}
	return outcome, nil
}

func (tx *transaction) connect(c *symbolon.Connect) (symbolon.ConnectOutcome, error) {
	tx.saw(c.Now)
	row := &c.Connection
	created, issued := millis(row.CreatedAt), millis(c.CodeIssuedAt)
	n, err := tx.exec(`
		INSERT INTO connection (id, account_no, app_no, scope, seq, created_at, refreshed_at, expires_at, session)
		SELECT ?1, account.no, app.no, ?2, ?3, ?4, ?4, ?5, ?6
		FROM account, app
		WHERE account.id = ?7 AND account.disabled_at IS NULL AND account.not_before < ?8
			AND app.id = ?9 AND app.deleted_at IS NULL AND app.not_before < ?8
			AND (?10 OR EXISTS (
				SELECT 1 FROM consent WHERE account_no = account.no AND client = app.id AND granted_at <= ?8))
			AND (?6 IS NULL OR EXISTS (SELECT 1 FROM session WHERE id = ?6 AND account_no = account.no))
		ON CONFLICT (id) DO NOTHING`,
		row.ID[:], row.Scope.String(), seqBase+int64(row.Seq), created, millis(row.ExpiresAt), idOrNone(row.Session),
		string(row.Account), issued, string(row.Client), c.Sandbox)
	if err != nil {
		return 0, err
	}
	if n == 1 {
		tx.born++
		return symbolon.Connected, nil
	}
	var there bool
	if err := tx.row(`SELECT EXISTS (SELECT 1 FROM connection WHERE id = ?)`, []any{row.ID[:]}, &there); err != nil {
		return 0, err
	}
	if !there {
		return symbolon.ConnectDenied, nil
	}
	if c.Spare {
		return symbolon.CodeReplayed, nil
	}
	_, err = tx.endConnection(row.ID, symbolon.ByCodeReplay, millis(c.Now))
	return symbolon.CodeReplayed, err
}
