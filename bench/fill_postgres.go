//go:build linux

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/postgres"
)

// fillPostgres fills a database that a demo on the data directory dir has made and
// on which no node works.
func fillPostgres(dir, url string, f *filling) (_ []held, err error) {
	ctx := context.Background()
	store, err := postgres.Open(ctx, postgres.Options{URL: url})
	if err != nil {
		return nil, err
	}
	f.ring, err = openRing(dir, store)
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if err := conn.QueryRow(ctx, "SELECT no FROM app WHERE id = $1", string(f.app)).Scan(&f.appNo); err != nil {
		return nil, err
	}
	f.put = func(table string, columns []string, rows iter.Seq[[]any]) error {
		return copyRows(ctx, url, table, columns, rows)
	}
	list, err := f.fill()
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		// The next of each gets a number of its own.
		"SELECT setval(pg_get_serial_sequence('account', 'no'), max(no)) FROM account",
		"SELECT setval(pg_get_serial_sequence('app', 'no'), max(no)) FROM app",
		"VACUUM ANALYZE", // as autovacuum would have done by now
		"CHECKPOINT",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return list, nil
}

// copyRows sends rows by COPY, on a connection of its own.
func copyRows(ctx context.Context, url, table string, columns []string, rows iter.Seq[[]any]) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	read, write := io.Pipe()
	go func() { write.CloseWithError(writeRows(write, rows)) }()
	_, err = conn.PgConn().CopyFrom(ctx, read, "COPY "+table+" ("+strings.Join(columns, ", ")+") FROM STDIN")
	read.CloseWithError(io.ErrClosedPipe) // after an error, the writer ends
	return err
}

// writeRows writes rows in the text format of COPY. What it is given has no
// character that would have to be escaped.
func writeRows(w io.Writer, rows iter.Seq[[]any]) error {
	const enough = 64 << 10
	buf := make([]byte, 0, enough+4096)
	for row := range rows {
		for i, value := range row {
			if i > 0 {
				buf = append(buf, '\t')
			}
			switch v := value.(type) {
			case int64:
				buf = strconv.AppendInt(buf, v, 10)
			case string:
				buf = append(buf, v...)
			case bool:
				buf = strconv.AppendBool(buf, v)
			case symbolon.ConnectionID:
				buf = hex.AppendEncode(buf, v[:])
			default:
				return fmt.Errorf("a value of type %T", value)
			}
		}
		if buf = append(buf, '\n'); len(buf) >= enough {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}
