package sqlite

import (
	"context"
	"database/sql"
	"errors"

	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"github.com/symbolon/symbolon"
)

// errDamaged is for a row that says what no row can say.
var errDamaged = errors.New("a row is damaged")

// blame says what a failed statement means for the rest of its transaction.
type blame uint8

const (
	// ownFault: the change cannot be made. The others can.
	ownFault blame = iota
	// damage: the change met a damaged page or row. The others may not.
	damage
	// storeFault: the store cannot be written now. Nothing can be made.
	storeFault
)

// resultCode returns SQLite's primary result code, or 0 for another error.
func resultCode(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func blameFor(err error) blame {
	var own *symbolon.Error
	if errors.As(err, &own) {
		return ownFault
	}
	switch resultCode(err) {
	case code.SQLITE_CONSTRAINT, code.SQLITE_MISMATCH, code.SQLITE_TOOBIG, code.SQLITE_RANGE, code.SQLITE_ERROR:
		return ownFault
	case code.SQLITE_CORRUPT, code.SQLITE_NOTADB, code.SQLITE_FORMAT:
		return damage
	case 0: // a value that does not fit where it belongs
		return damage
	default:
		return storeFault
	}
}

// conflicts reports whether a statement failed because a row of the same key
// is there already.
func conflicts(err error) bool { return resultCode(err) == code.SQLITE_CONSTRAINT }

// missing reports whether a query found no row.
func missing(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// changeError is the error that the caller of a change gets for its own fault.
func changeError(op string, err error) error {
	var own *symbolon.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case blameFor(err) == ownFault:
		return symbolon.Wrap(symbolon.Internal, op, err)
	default:
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
}

// readError is the error that the caller of a read gets. Whatever hinders a
// read may be gone later; only a statement that is wrong stays so.
func readError(op string, err error) error {
	var own *symbolon.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case resultCode(err) == code.SQLITE_ERROR && !errors.Is(err, context.Canceled):
		return symbolon.Wrap(symbolon.Internal, op, err)
	default:
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
}

// uncertain reports whether a COMMIT that failed may be durable all the same.
// It is not when the log could not be written to its end, which a full disk or
// a lock prevents; it may be when only the fsync after it failed.
func uncertain(err error) bool {
	switch resultCode(err) {
	case code.SQLITE_FULL, code.SQLITE_BUSY, code.SQLITE_LOCKED, code.SQLITE_READONLY:
		return false
	default:
		return true
	}
}
