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
	n, err := tx.exec(`
		INSERT INTO connection (id, account_no, app_no, scope, seq, created_at, refreshed_at, expires_at)
		SELECT ?1, account.no, app.no, ?4, ?5, ?6, ?6, ?7
		FROM account, app
		WHERE account.id = ?2 AND account.disabled_at IS NULL AND account.not_before < ?8
			AND app.id = ?3 AND app.deleted_at IS NULL AND app.not_before < ?8
			AND (?9 OR EXISTS (
				SELECT 1 FROM consent WHERE account_no = account.no AND client = app.id AND granted_at <= ?8))
		ON CONFLICT (id) DO NOTHING`,
		row.ID[:], row.Account, row.Client, row.Scope.String(), seqBase+int64(row.Seq), millis(row.CreatedAt),
		millis(row.ExpiresAt), millis(c.CodeIssuedAt), c.Sandbox)
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
	_, err = tx.endConnection(row.ID, symbolon.ByCodeReplay, millis(c.Now))
	return symbolon.CodeReplayed, err
}
