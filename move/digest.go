package move

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/symbolon/symbolon"
)

// errDiffers means that a table is not the same in both stores.
var errDiffers = errors.New("the rows in the target are not those in the source")

// digest is what a reading of a table has come to.
type digest struct {
	rows int64
	sum  [sha256.Size]byte
	err  error
}

// verify reads a table from both stores at once and compares the two.
func (m *mover) verify(ctx context.Context, t symbolon.Table, done *int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	source, target := make(chan digest, 1), make(chan digest, 1)
	var read int64
	go func() { source <- digestOf(ctx, m.from, t, nil) }()
	go func() {
		target <- digestOf(ctx, m.into, t, func(n int) {
			read += int64(n)
			m.report(Progress{Phase: Verifying, Table: t.Name, Done: *done + read, Total: m.total})
		})
	}()
	b := <-target
	a := <-source
	*done += a.rows
	switch {
	case a.err != nil || b.err != nil:
		return fmt.Errorf("table %s: %w", t.Name, errors.Join(a.err, b.err))
	case a.rows != b.rows:
		return &symbolon.Error{Kind: symbolon.Internal, Op: op, Err: errDiffers,
			Detail: fmt.Sprintf("table %s has %d rows in the source and %d in the target", t.Name, a.rows, b.rows)}
	case a.sum != b.sum:
		return &symbolon.Error{Kind: symbolon.Internal, Op: op, Err: errDiffers,
			Detail: fmt.Sprintf("table %s has the checksum %x in the source and %x in the target, over %d rows", t.Name, a.sum[:8], b.sum[:8], a.rows)}
	}
	return nil
}

// digestOf reads a table and returns the SHA-256 over its rows.
func digestOf(ctx context.Context, from symbolon.Holder, t symbolon.Table, report func(rows int)) (d digest) {
	sum := sha256.New()
	var spelled []byte
	d.err = walk(ctx, from, t, nil, func(rows []symbolon.Row) error {
		for _, row := range rows {
			var err error
			if spelled, err = spell(spelled[:0], row); err != nil {
				return err
			}
			sum.Write(spelled)
		}
		d.rows += int64(len(rows))
		if report != nil {
			report(len(rows))
		}
		return nil
	})
	sum.Sum(d.sum[:0])
	return d
}

// What stands before a value, so that no two rows are spelled alike.
const (
	noValue byte = iota
	number
	untrue
	isTrue
	text
	octets
)

// spell adds a row to a text that says all of it, whatever store it was read from.
func spell(b []byte, row symbolon.Row) ([]byte, error) {
	for i, value := range row {
		switch v := value.(type) {
		case nil:
			b = append(b, noValue)
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, number), uint64(v))
		case bool:
			if v {
				b = append(b, isTrue)
			} else {
				b = append(b, untrue)
			}
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, text), uint64(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, octets), uint64(len(v))), v...)
		default:
			return b, fmt.Errorf("value %d of a row is a %T", i, value)
		}
	}
	return b, nil
}
