package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

var _ symbolon.Source = (*DB)(nil)

// transferName is how who carries the data is called in pg_stat_activity.
const transferName = "symbolon move"

// held is a transaction that holds up everyone who would change anything.
type held struct {
	conn *pgxpool.Conn
	tx   pgx.Tx
}

// Hold sees to it that nobody changes the database before Leave, or Close: every
// other change waits, and fails in the end. Denied when anybody of the same user,
// such as a node, is on the database now: it would go on after Leave. It is for who
// carries the data, once.
func (db *DB) Hold(ctx context.Context) error {
	// What was copied at an earlier time is out of date, as far as we know.
	err := db.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE mark SET beats = beats + 1 WHERE moved IS NULL`)
		return err
	})
	if err != nil {
		return err
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return openError(err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		conn.Release()
		return openError(err)
	}
	db.held = &held{conn, tx}
	tables := []string{"mark", "feed"}
	for _, t := range symbolon.Tables() {
		tables = append(tables, t.Name)
	}
	_, err = tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`)
	if err == nil {
		_, err = tx.Exec(ctx, `LOCK TABLE `+strings.Join(tables, ", ")+` IN SHARE MODE`)
	}
	if err == nil {
		err = nobodyElse(ctx, tx)
	}
	return changeError(opTransfer, err)
}

// nobodyElse returns an error of kind Denied when others of the same user are on the
// database. What other users do there is no node's work.
func nobodyElse(ctx context.Context, tx pgx.Tx) error {
	var others int
	err := tx.QueryRow(ctx, `
		SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND usename = current_user AND backend_type = 'client backend' AND application_name <> $1`,
		transferName).Scan(&others)
	if err == nil && others > 0 {
		return symbolon.Errorf(symbolon.Denied, opTransfer, "servers or other programs are on the database, with %d connections of the same user", others)
	}
	return err
}

// Leave implements symbolon.Source. Hold goes before it.
func (db *DB) Leave(ctx context.Context, _ symbolon.StoreState, to string) error {
	h := db.held
	if h == nil {
		return symbolon.Errorf(symbolon.Internal, opTransfer, "it is not held, so others may change it")
	}
	err := nobodyElse(ctx, h.tx)
	if err == nil {
		_, err = h.tx.Exec(ctx, `UPDATE mark SET moved = $1`, to)
	}
	if err == nil {
		err = committed(h.conn, h.tx.Commit(ctx))
	}
	db.letGo()
	return changeError(opTransfer, err)
}

// Stay undoes Leave: the database may be opened again, as it was when it was left.
func (db *DB) Stay(ctx context.Context) error {
	return db.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE mark SET moved = NULL`)
		return err
	})
}

// letGo ends what Hold has begun. The pool throws the connection away when it is
// still in a transaction.
func (db *DB) letGo() {
	if db.held != nil {
		db.held.conn.Release()
		db.held = nil
	}
}
