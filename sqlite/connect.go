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

func (tx *transaction) connect(c *symbolon.Connect) (outcome symbolon.ConnectOutcome, err error) {
	tx.saw(c.Now)
	if !c.One && !c.Tell {
		return tx.bear(c)
	}
	err = tx.atomically(func() error {
		if outcome, err = tx.bear(c); err != nil || outcome != symbolon.Connected {
			return err
		}
		if c.Tell {
			err = tx.tellOf(`connection.id = ?1`, []any{c.Connection.ID[:]}, "", millis(c.Now), symbolon.EventConnected)
		}
		if err == nil && c.One {
			err = tx.endOthers(&c.Connection, millis(c.Now))
		}
		return err
	})
	return outcome, err
}

// newer is true of the connection that is to be born when one of the pair is there that
// lives and is newer.
const newer = `EXISTS (
				SELECT 1 FROM connection AS other
				WHERE other.account_no = account.no AND other.app_no = app.no AND other.id > ?1
					AND other.ended_at IS NULL AND other.expires_at > ?4
					AND other.created_at > max(account.not_before, app.not_before))`

// endOthers ends the connections of the pair that are older than this one.
func (tx *transaction) endOthers(row *symbolon.Connection, now int64) error {
	// The sign keeps SQLite from going by the app, which may have millions.
	const which = `connection.id < ?1 AND connection.ended_at IS NULL
			AND connection.account_no = (SELECT account_no FROM connection WHERE id = ?1)
			AND +connection.app_no = (SELECT app_no FROM connection WHERE id = ?1)`
	return tx.endThose(which, []any{row.ID[:]}, symbolon.ByNewer, now)
}

// bear makes the connection, unless it is there.
func (tx *transaction) bear(c *symbolon.Connect) (symbolon.ConnectOutcome, error) {
	row := &c.Connection
	created, issued := millis(row.CreatedAt), millis(c.CodeIssuedAt)
	one := ``
	if c.One {
		one = ` AND NOT ` + newer
	}
	n, err := tx.exec(`
		INSERT INTO connection (id, account_no, app_no, scope, seq, created_at, refreshed_at, expires_at, session, label, used_from)
		SELECT ?1, account.no, app.no, ?2, ?3, ?4, ?4, ?5, ?6, ?11, ?12
		FROM account, app
		WHERE account.id = ?7 AND account.disabled_at IS NULL AND account.not_before < ?8
			AND app.id = ?9 AND app.deleted_at IS NULL AND app.not_before < ?8
			AND (?10 OR EXISTS (
				SELECT 1 FROM consent WHERE account_no = account.no AND client = app.id AND granted_at <= ?8))
			AND (?6 IS NULL OR EXISTS (SELECT 1 FROM session WHERE id = ?6 AND account_no = account.no))`+one+`
		ON CONFLICT (id) DO NOTHING`,
		row.ID[:], row.Scope.String(), seqBase+int64(row.Seq), created, millis(row.ExpiresAt), idOrNone(row.Session),
		string(row.Account), issued, string(row.Client), c.Sandbox,
		row.Label, symbolon.AppendAddress(nil, c.From))
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
