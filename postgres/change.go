package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// Changes implements symbolon.Store. What a reader sees has no gap that could be
// filled later: the numbers are given out under the lock of feed, which is held
// until the commit, so that they become visible in their order.
func (db *DB) Changes(ctx context.Context, after symbolon.Cursor, limit int) ([]symbolon.Change, symbolon.Cursor, error) {
	const op = "postgres: changes"
	if err := atLeastOne(op, limit); err != nil {
		return nil, after, err
	}
	var next symbolon.Cursor
	var list []symbolon.Change
	err := db.read(ctx, op, func(ctx context.Context, c *pgxpool.Conn) (err error) {
		list, next, err = db.place.read(ctx, c, after, limit)
		return err
	})
	if err != nil {
		return nil, after, err
	}
	return list, next, nil
}

// place is the last change that was read, by which it is seen that the database is
// the same that it was read from.
type place struct {
	mu     sync.Mutex
	at     symbolon.Cursor
	change symbolon.Change
}

// is reports whether a change is the one that was read under this number, as far as
// is known.
func (p *place) is(at symbolon.Cursor, c symbolon.Change) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at != at || p.change == c
}

func (p *place) set(at symbolon.Cursor, c symbolon.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.change = at, c
}

// read reads the changes after a cursor, beginning with the one that it stands at.
// Numbers have no gaps: who finds one has stood still for so long that what it missed
// was swept. Who finds another change in its place, or a database that has not come as
// far, reads a database that was put back to an older state, or lost its last changes
// to a failover, and may have passed that place since. Then it is to begin again.
func (p *place) read(ctx context.Context, c *pgxpool.Conn, after symbolon.Cursor, limit int) ([]symbolon.Change, symbolon.Cursor, error) {
	first, next := symbolon.Cursor(0), after
	rows, err := c.Query(ctx, `
		SELECT no, kind, connection, coalesce(account, ''), coalesce(client, ''), coalesce(before, 0), at
		FROM change WHERE no >= $1 ORDER BY no LIMIT $2 + 1`, int64(after), limit)
	list, err := collect(rows, err, func(row pgx.CollectableRow) (symbolon.Change, error) {
		change, err := scanChange(row, &next)
		if first == 0 {
			first = next
		}
		return change, err
	})
	if err != nil {
		return nil, after, err
	}
	switch {
	case after != 0 && first == after && p.is(after, list[0]):
		list = list[1:]
	case len(list) == 0: // all were swept, or it was put back
		var last int64
		if err := c.QueryRow(ctx, `SELECT last FROM feed`).Scan(&last); err != nil {
			return nil, after, err
		}
		if after != 0 && last != int64(after) {
			return nil, 0, nil
		}
		return nil, symbolon.Cursor(last), nil
	case after != 0 && first != after+1: // the one in its own place may be swept
		return nil, 0, nil
	}
	if len(list) > limit { // it did not begin with the one in its place
		list, next = list[:limit], next-1
	}
	if len(list) > 0 {
		p.set(next, list[len(list)-1])
	}
	return list, next, nil
}

func scanChange(row pgx.CollectableRow, next *symbolon.Cursor) (symbolon.Change, error) {
	var c symbolon.Change
	var id *[16]byte
	var kind int16
	var before, at int64
	if err := row.Scan((*int64)(next), &kind, &id, (*string)(&c.Account), (*string)(&c.Client), &before, &at); err != nil {
		return c, err
	}
	if id != nil {
		c.ID = *id
	}
	c.Kind, c.Before, c.At = symbolon.ChangeKind(kind), moment(before), moment(at)
	return c, nil
}

// change is a row of the table change.
type change struct {
	kind       symbolon.ChangeKind
	connection symbolon.ConnectionID
	account    symbolon.AccountID
	client     symbolon.ClientID
	before     int64
	at         int64
}

// channel is where listeners are told that there are new changes.
const channel = "symbolon"

// tell writes the changes that the transaction has left. It is the last thing
// before the commit, since from here on every other transaction with changes
// waits for this one.
func (tx *transaction) tell() error {
	if len(tx.changes) == 0 {
		return nil
	}
	n := len(tx.changes)
	kinds, ids := make([]int16, n), make([]*[16]byte, n)
	accounts, clients := make([]string, n), make([]string, n)
	befores, ats := make([]int64, n), make([]int64, n)
	for i, c := range tx.changes {
		kinds[i], accounts[i], clients[i] = int16(c.kind), string(c.account), string(c.client)
		befores[i], ats[i] = c.before, c.at
		if c.connection != (symbolon.ConnectionID{}) {
			ids[i] = (*[16]byte)(&c.connection)
		}
	}
	from := `number`
	if !tx.db.options.NoNotify {
		from = `number, (SELECT pg_notify('` + channel + `', '')) AS told` // at the commit
	}
	_, err := tx.exec(`
		WITH number AS (UPDATE feed SET last = last + $1 RETURNING last - $1 AS before)
		INSERT INTO change (no, kind, connection, account, client, before, at)
		SELECT number.before + u.n, u.kind, u.connection, nullif(u.account, ''), nullif(u.client, ''), nullif(u.before, 0), u.at
		FROM `+from+`, unnest($2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
			WITH ORDINALITY AS u (kind, connection, account, client, before, at, n)`,
		int64(n), kinds, ids, accounts, clients, befores, ats)
	return err
}
