package postgres

import (
	"bytes"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

const opConnect = "postgres: connect"

// Connect implements symbolon.Store.
func (db *DB) Connect(ctx context.Context, c symbolon.Connect) (symbolon.ConnectOutcome, error) {
	db.sweep.saw(c.Now)
	if c.One || c.Tell {
		return db.connectAlone(ctx, c)
	}
	return ask(ctx, db.connects, opConnect, c)
}

// connectAlone is Connect in a transaction of its own, where there is more to do. It
// locks the account against every other birth and end of its connections.
func (db *DB) connectAlone(ctx context.Context, c symbolon.Connect) (symbolon.ConnectOutcome, error) {
	var outcome symbolon.ConnectOutcome
	err := db.write(ctx, opConnect, func(tx *transaction) (err error) {
		outcome, err = tx.connect(&c)
		return err
	})
	if err != nil {
		return 0, err
	}
	if outcome == symbolon.Connected {
		db.sweep.bore(1)
	}
	return outcome, nil
}

func (tx *transaction) connect(c *symbolon.Connect) (symbolon.ConnectOutcome, error) {
	row, now := &c.Connection, millis(c.Now)
	if _, err := tx.Tx.Exec(tx.ctx, `SELECT no FROM account WHERE id = $1 FOR UPDATE`, string(row.Account)); err != nil {
		return 0, err
	}
	rows, err := tx.lock([]symbolon.ConnectionID{row.ID})
	if err != nil {
		return 0, err
	}
	if there := rows[row.ID]; there != nil {
		if !c.Spare {
			there.end(tx, symbolon.ByCodeReplay, now)
		}
		tx.wrote = true // as in endAll
		return symbolon.CodeReplayed, tx.keep(rows)
	}
	var account, app, events int64
	err = tx.returning(birth+`
			AND NOT ($14 AND EXISTS (
				SELECT 1 FROM connection AS other
				WHERE other.account_no = account.no AND other.app_no = app.no AND other.id > u.id
					AND other.ended_at IS NULL AND other.expires_at > $15
					AND other.created_at > greatest(account.not_before, app.not_before)))
		ON CONFLICT (id) DO NOTHING
		RETURNING account_no, app_no, (SELECT events FROM app WHERE no = app_no)`,
		append(births([]*symbolon.Connect{c}), c.One, now), &account, &app, &events)
	if missing(err) {
		return symbolon.ConnectDenied, nil
	}
	if err != nil {
		return 0, err
	}
	if c.Tell {
		tx.event(row.Client, row.Account, row.ID, symbolon.EventMask(events), "", now, symbolon.EventConnected)
	}
	if c.One {
		err = tx.endThose(`connection.account_no = $1 AND connection.app_no = $2 AND connection.id < $3`, []any{account, app, [16]byte(row.ID)}, symbolon.ByNewer, now)
	}
	return symbolon.Connected, err
}

// birth inserts the connections that births describes and that may be born.
const birth = `
		INSERT INTO connection (id, account_no, app_no, scope, seq, created_at, refreshed_at, expires_at, session, label, used_from)
		SELECT u.id, account.no, app.no, u.scope, u.seq, u.created_at, u.created_at, u.expires_at, nullif(u.session, $10), u.label, u.used_from
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[],
				$11::uuid[], $12::text[], $13::uuid[])
				AS u (id, account, client, scope, seq, created_at, expires_at, issued_at, sandbox, session, label, used_from)
			JOIN account ON account.id = u.account
			JOIN app ON app.id = u.client
		WHERE account.disabled_at IS NULL AND account.not_before < u.issued_at
			AND app.deleted_at IS NULL AND app.not_before < u.issued_at
			AND (u.sandbox OR EXISTS (
				SELECT 1 FROM consent WHERE account_no = account.no AND client = app.id AND granted_at <= u.issued_at))
			AND (u.session = $10 OR EXISTS (SELECT 1 FROM session WHERE id = u.session AND account_no = account.no))`

// births are the arguments of birth.
func births(list []*symbolon.Connect) []any {
	n := len(list)
	ids, accounts, clients, scopes := make([][16]byte, n), make([]string, n), make([]string, n), make([]string, n)
	seqs, created, expires, issued := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	sandbox, sessions, labels, from := make([]bool, n), make([][16]byte, n), make([]string, n), make([][16]byte, n)
	for i, c := range list {
		row := &c.Connection
		ids[i], accounts[i], clients[i], scopes[i] = row.ID, string(row.Account), string(row.Client), row.Scope.String()
		seqs[i], created[i], expires[i], issued[i] = int64(row.Seq), millis(row.CreatedAt), millis(row.ExpiresAt), millis(c.CodeIssuedAt)
		sandbox[i], sessions[i], labels[i], from[i] = c.Sandbox, row.Session, row.Label, address16(c.From)
	}
	return []any{ids, accounts, clients, scopes, seqs, created, expires, issued, sandbox, [16]byte{}, sessions, labels, from}
}

type connectRequest = request[symbolon.Connect, symbolon.ConnectOutcome]

// rounds bounds how often a batch begins anew with what was left of it.
const rounds = 20

// connectAll inserts what can be inserted, then ends what was there already. Of
// several redemptions of one code the first is tried and the others are replays
// of it; only where the first was denied for something that another does not say
// does that one get a try of its own.
func (db *DB) connectAll(ctx context.Context, c *pgxpool.Conn, batch []*connectRequest) error {
	for range rounds {
		rest := pending(batch)
		if len(rest) == 0 {
			break
		}
		firsts := make(map[symbolon.ConnectionID]*connectRequest, len(rest))
		for _, r := range rest {
			if firsts[r.ask.Connection.ID] == nil {
				firsts[r.ask.Connection.ID] = r
			}
		}
		born, err := insertAll(ctx, c, firsts)
		if err != nil {
			return err
		}
		db.sweep.bore(born)
		if err := db.replayed(ctx, c, pending(rest), firsts); err != nil {
			return err
		}
	}
	return nil
}

// insertAll inserts the connections that may be born and are not there, and marks
// their requests as done.
func insertAll(ctx context.Context, c *pgxpool.Conn, firsts map[symbolon.ConnectionID]*connectRequest) (int, error) {
	n := len(firsts)
	list := make([]*connectRequest, 0, n)
	for _, r := range firsts {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *connectRequest) int {
		return bytes.Compare(a.ask.Connection.ID[:], b.ask.Connection.ID[:])
	})
	accounts, asks := make([]string, n), make([]*symbolon.Connect, n)
	for i, r := range list {
		accounts[i], asks[i] = string(r.ask.Connection.Account), &r.ask
	}
	// Sent at once and one transaction. The accounts are locked by a statement of
	// its own: who ends a pair waits for the birth then, or the birth for the end,
	// and the statement after the lock sees what the end has left. So it is with who
	// ends a session, and the session.
	both := &pgx.Batch{}
	both.Queue(`SELECT no FROM account WHERE id = ANY ($1) ORDER BY no FOR KEY SHARE`, accounts)
	both.Queue(birth+`
		ORDER BY u.id
		ON CONFLICT (id) DO NOTHING
		RETURNING id`, births(asks)...)
	answers := c.SendBatch(ctx, both)
	_, err := answers.Exec()
	var born [][16]byte
	if err == nil {
		var rows pgx.Rows
		rows, err = answers.Query()
		born, err = collect(rows, err, pgx.RowTo[[16]byte])
	}
	// The commit is answered only now.
	if closing := answers.Close(); err == nil {
		err = closing
	}
	if err = committed(c, err); err != nil {
		return 0, err
	}
	for _, id := range born {
		r := firsts[id]
		r.done, r.out = true, symbolon.Connected
	}
	return len(born), nil
}

// terms are what decides whether a connection may be born.
type terms struct {
	account symbolon.AccountID
	client  symbolon.ClientID
	issued  int64
	sandbox bool
	session symbolon.SessionID
}

func termsOf(r *connectRequest) terms {
	c := &r.ask
	return terms{c.Connection.Account, c.Connection.Client, millis(c.CodeIssuedAt), c.Sandbox, c.Connection.Session}
}

// replayed settles the requests that did not give birth: where the row is there,
// they are replays and end it; where it is not, they were denied.
func (db *DB) replayed(ctx context.Context, c *pgxpool.Conn, rest []*connectRequest, firsts map[symbolon.ConnectionID]*connectRequest) error {
	if len(rest) == 0 {
		return nil
	}
	var settled []*connectRequest
	err := db.transact(ctx, c, func(tx *transaction) error {
		ids := make([]symbolon.ConnectionID, len(rest))
		for i, r := range rest {
			ids[i] = r.ask.Connection.ID
		}
		rows, err := tx.lock(ids)
		if err != nil {
			return err
		}
		settled = settled[:0]
		for _, r := range rest {
			row, first := rows[r.ask.Connection.ID], firsts[r.ask.Connection.ID]
			switch {
			case row != nil:
				r.out = symbolon.CodeReplayed
				if !r.ask.Spare {
					row.end(tx, symbolon.ByCodeReplay, millis(r.ask.Now))
				}
			case termsOf(r) == termsOf(first):
				r.out = symbolon.ConnectDenied
			default:
				continue // the next round tries it
			}
			settled = append(settled, r)
		}
		return tx.keep(rows)
	})
	if err != nil {
		return err
	}
	settle(settled)
	return nil
}
