package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/symbolon/symbolon"
)

// seqBase is added to a sequence number in the store: see the schema.
const seqBase = 1 << 32

// Connections implements symbolon.Store. A connection that ended with its
// account or its app shows when, and no reason.
func (db *DB) Connections(ctx context.Context, q symbolon.ConnectionQuery) ([]symbolon.Connection, error) {
	const op = "sqlite: connections"
	if err := atLeastOne(op, q.Limit); err != nil {
		return nil, err
	}
	where, args := connectionFilter(q)
	var list []symbolon.Connection
	err := db.read(ctx, op, func(f *file) error {
		rows, err := f.query(ctx, `
			SELECT connection.id, account.id, app.id, connection.scope, connection.seq, connection.created_at,
				connection.refreshed_at, connection.expires_at, connection.ended_at, connection.ended_by,
				max(account.not_before, app.not_before), connection.session,
				connection.label, connection.used_from
			FROM connection
				JOIN account ON account.no = connection.account_no
				JOIN app ON app.no = connection.app_no
			WHERE `+where+` ORDER BY connection.id DESC LIMIT ?`, append(args, q.Limit)...)
		list, err = collect(rows, err, scanConnection)
		return err
	})
	return list, err
}

// connectionFilter returns the condition of the query and its arguments.
func connectionFilter(q symbolon.ConnectionQuery) (string, []any) {
	where, args := []string{`true`}, []any(nil)
	and := func(condition string, arg ...any) {
		where, args = append(where, condition), append(args, arg...)
	}
	if q.ID != (symbolon.ConnectionID{}) {
		and(`connection.id = ?`, q.ID[:])
	}
	if q.Before != (symbolon.ConnectionID{}) {
		and(`connection.id < ?`, q.Before[:])
	}
	if q.Account != "" {
		and(`connection.account_no = (SELECT no FROM account WHERE id = ?)`, q.Account)
	}
	if q.Client != "" {
		and(`connection.app_no = (SELECT no FROM app WHERE id = ?)`, q.Client)
	}
	if !q.DiesFrom.IsZero() {
		and(`connection.expires_at >= ?`, millis(q.DiesFrom))
	}
	if !q.DiesBefore.IsZero() {
		and(`connection.expires_at < ?`, millis(q.DiesBefore))
	}
	if q.Live {
		and(`connection.ended_at IS NULL AND connection.expires_at > ?`, millis(q.Now))
		and(`account.disabled_at IS NULL AND account.not_before < connection.created_at`)
		and(`app.deleted_at IS NULL AND app.not_before < connection.created_at`)
	}
	return strings.Join(where, " AND "), args
}

func scanConnection(rows *sql.Rows) (symbolon.Connection, error) {
	var c symbolon.Connection
	var id, session, from []byte
	var scope string
	var seq, createdAt, refreshedAt, expiresAt, notBefore int64
	var endedAt sql.NullInt64
	var endedBy sql.NullString
	err := rows.Scan(&id, &c.Account, &c.Client, &scope, &seq, &createdAt, &refreshedAt, &expiresAt, &endedAt, &endedBy, &notBefore, &session,
		&c.Label, &from)
	if err != nil {
		return c, err
	}
	if copy(c.ID[:], id) != len(c.ID) || seq < seqBase {
		return c, errDamaged
	}
	copy(c.Session[:], session)
	c.UsedFrom = symbolon.AddressOf(from)
	c.Scope, c.Seq = strings.Fields(scope), uint64(seq-seqBase)
	c.CreatedAt, c.RefreshedAt, c.ExpiresAt = moment(createdAt), moment(refreshedAt), moment(expiresAt)
	c.EndedAt, c.EndedBy = moment(endedAt.Int64), symbolon.Reason(endedBy.String)
	if !endedAt.Valid && notBefore >= createdAt {
		c.EndedAt = moment(notBefore)
	}
	return c, nil
}
