package postgres

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// Connections implements symbolon.Store. A connection that ended with its
// account or its app shows when, and no reason.
func (db *DB) Connections(ctx context.Context, q symbolon.ConnectionQuery) ([]symbolon.Connection, error) {
	const op = "postgres: connections"
	if err := atLeastOne(op, q.Limit); err != nil {
		return nil, err
	}
	where, args := connectionFilter(q)
	var list []symbolon.Connection
	err := db.read(ctx, op, func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, `
			SELECT connection.id, account.id, app.id, connection.scope, connection.seq, connection.created_at,
				connection.refreshed_at, connection.expires_at, connection.ended_at, coalesce(connection.ended_by, ''),
				greatest(account.not_before, app.not_before), connection.session,
				connection.label, connection.used_from
			FROM connection
				JOIN account ON account.no = connection.account_no
				JOIN app ON app.no = connection.app_no
			WHERE `+where+` ORDER BY connection.id DESC LIMIT $1`, args...)
		list, err = collect(rows, err, scanConnection)
		return err
	})
	return list, err
}

// connectionFilter returns the condition of the query and its arguments, of
// which the first is the limit.
func connectionFilter(q symbolon.ConnectionQuery) (string, []any) {
	where, args := []string{`true`}, []any{q.Limit}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, `$?`, `$`+strconv.Itoa(len(args))))
	}
	if q.ID != (symbolon.ConnectionID{}) {
		and(`connection.id = $?`, [16]byte(q.ID))
	}
	if q.Before != (symbolon.ConnectionID{}) {
		and(`connection.id < $?`, [16]byte(q.Before))
	}
	if q.Account != "" {
		and(`connection.account_no = (SELECT no FROM account WHERE id = $?)`, string(q.Account))
	}
	if q.Client != "" {
		and(`connection.app_no = (SELECT no FROM app WHERE id = $?)`, string(q.Client))
	}
	if !q.DiesFrom.IsZero() {
		and(`connection.expires_at >= $?`, millis(q.DiesFrom))
	}
	if !q.DiesBefore.IsZero() {
		and(`connection.expires_at < $?`, millis(q.DiesBefore))
	}
	if q.Live {
		and(`connection.ended_at IS NULL AND connection.expires_at > $?
			AND account.disabled_at IS NULL AND account.not_before < connection.created_at
			AND app.deleted_at IS NULL AND app.not_before < connection.created_at`, millis(q.Now))
	}
	return strings.Join(where, " AND "), args
}

func scanConnection(row pgx.CollectableRow) (symbolon.Connection, error) {
	var c symbolon.Connection
	var scope string
	var seq, createdAt, refreshedAt, expiresAt, notBefore int64
	var endedAt *int64
	var session, from *[16]byte
	err := row.Scan((*[16]byte)(&c.ID), (*string)(&c.Account), (*string)(&c.Client), &scope, &seq, &createdAt,
		&refreshedAt, &expiresAt, &endedAt, (*string)(&c.EndedBy), &notBefore, &session,
		&c.Label, &from)
	if err != nil {
		return c, err
	}
	if seq < 0 {
		return c, errDamaged
	}
	if session != nil {
		c.Session = *session
	}
	c.UsedFrom = addressOf(from)
	c.Scope, c.Seq = strings.Fields(scope), uint64(seq)
	c.CreatedAt, c.RefreshedAt, c.ExpiresAt = moment(createdAt), moment(refreshedAt), moment(expiresAt)
	switch {
	case endedAt != nil:
		c.EndedAt = moment(*endedAt)
	case notBefore >= createdAt:
		c.EndedAt = moment(notBefore)
	}
	return c, nil
}

// locked is a connection whose row the transaction holds until its end.
type locked struct {
	id          symbolon.ConnectionID
	account     symbolon.AccountID
	client      symbolon.ClientID
	seq         uint64
	refreshedAt int64
	expiresAt   int64
	ended       bool
	stands      bool               // account and app are there, enabled, and not ended since
	events      symbolon.EventMask // of the app
	usedFrom    *[16]byte

	changed bool // the row is to be written
	endedAt int64
	endedBy symbolon.Reason
}

// end ends the connection, unless it has ended, and reports whether it did.
func (l *locked) end(tx *transaction, reason symbolon.Reason, now int64) bool {
	if l.ended {
		return false
	}
	l.ended, l.endedAt, l.endedBy, l.changed = true, now, reason, true
	l.tell(tx, reason, now, symbolon.EndEvents(reason)...)
	tx.change(change{kind: symbolon.ConnectionEnded, connection: l.id, account: l.account, client: l.client, at: now})
	return true
}

// tell has the app's webhook be told something of the connection.
func (l *locked) tell(tx *transaction, why symbolon.Reason, now int64, kinds ...symbolon.EventKind) {
	tx.event(l.client, l.account, l.id, l.events, why, now, kinds...)
}

// lock returns the connections that are there, by their ids, after locking their
// rows in the order of the ids, so that two who lock several do not wait for each
// other. What it returns is what the last to commit has left.
func (tx *transaction) lock(ids []symbolon.ConnectionID) (map[symbolon.ConnectionID]*locked, error) {
	rows, err := tx.Tx.Query(tx.ctx, `
		SELECT connection.id, account.id, app.id, connection.seq, connection.refreshed_at, connection.expires_at,
			connection.ended_at IS NOT NULL, account.disabled_at IS NULL AND app.deleted_at IS NULL,
			greatest(account.not_before, app.not_before), app.events, connection.used_from
		FROM connection
			JOIN account ON account.no = connection.account_no
			JOIN app ON app.no = connection.app_no
		WHERE connection.id = ANY ($1)
		ORDER BY connection.id
		FOR UPDATE OF connection`, distinct(ids))
	list, err := collect(rows, err, func(row pgx.CollectableRow) (*locked, error) {
		l := &locked{}
		var seq, notBefore int64
		err := row.Scan((*[16]byte)(&l.id), (*string)(&l.account), (*string)(&l.client), &seq, &l.refreshedAt, &l.expiresAt,
			&l.ended, &l.stands, &notBefore, (*int64)(&l.events), &l.usedFrom)
		if err == nil && seq < 0 {
			err = errDamaged
		}
		l.seq, l.stands = uint64(seq), l.stands && notBefore < millis(l.id.Time())
		return l, err
	})
	byID := make(map[symbolon.ConnectionID]*locked, len(list))
	for _, l := range list {
		byID[l.id] = l
	}
	return byID, err
}

// keep writes the rows that were changed.
func (tx *transaction) keep(all map[symbolon.ConnectionID]*locked) error {
	var ids [][16]byte
	var seqs, refreshed, expires, endedAt []int64
	var ended []bool
	var endedBy []string
	var from []*[16]byte
	for _, l := range all {
		if l.changed {
			ids, seqs = append(ids, l.id), append(seqs, int64(l.seq))
			refreshed, expires = append(refreshed, l.refreshedAt), append(expires, l.expiresAt)
			from = append(from, l.usedFrom)
			ended, endedAt, endedBy = append(ended, l.ended), append(endedAt, l.endedAt), append(endedBy, string(l.endedBy))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.exec(`
		UPDATE connection SET seq = u.seq, refreshed_at = u.refreshed_at, expires_at = u.expires_at,
			ended_at = CASE WHEN u.ended THEN u.ended_at END, ended_by = nullif(u.ended_by, ''),
			used_from = u.used_from
		FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[], $7::text[],
				$8::uuid[])
			AS u (id, seq, refreshed_at, expires_at, ended, ended_at, ended_by, used_from)
		WHERE connection.id = u.id`, ids, seqs, refreshed, expires, ended, endedAt, endedBy, from)
	return err
}

// distinct returns the ids in their order, each once, as the driver takes them.
func distinct(ids []symbolon.ConnectionID) [][16]byte {
	list := make([][16]byte, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	slices.SortFunc(list, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(list)
}
