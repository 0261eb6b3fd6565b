package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

var (
	// errDamaged is for a row that says what no row can say.
	errDamaged = errors.New("a row is damaged")
	// errAbsent means that no connection was to be had: nothing was done.
	errAbsent = errors.New("no connection to the database")
	// errAlone means that the server did not wait for its standby.
	errAlone = errors.New("the wait for the synchronous standby was broken off")
	// errLost means that a connection broke while it changed nothing.
	errLost = errors.New("the connection to the database broke")
)

// unknownError wraps the failure of a commit that may have happened.
type unknownError struct{ error }

func (e *unknownError) Unwrap() error { return e.error }

// The SQLSTATEs that are told apart, by their names in PostgreSQL's manual,
// appendix A.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	completionUnknown    = "40003"
	uniqueViolation      = "23505"
	undefinedTable       = "42P01"
	duplicateTable       = "42P07"
	readOnlyTransaction  = "25006"
)

// sqlState returns the SQLSTATE of an error that the server sent, or "".
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// fatal reports whether the server ended the connection with the error.
func fatal(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.SeverityUnlocalized == "FATAL" || e.SeverityUnlocalized == "PANIC")
}

// alone is where a connection remembers that a commit is on the primary alone.
const alone = "symbolon: alone"

// noteAlone hears what the server says beside its answers. When someone breaks off
// its wait for the synchronous standby (pg_cancel_backend, for instance), it warns
// that the commit may be on the primary only, and answers as if all were well. The
// warning has no SQLSTATE of its own and speaks the server's language; the name of
// the function that gives it is the same in all.
func noteAlone(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		c.CustomData()[alone] = true
	}
}

// committed turns the error of what commits (COMMIT, or a statement that is a
// transaction by itself) into an unknownError, unless it is sure that nothing was
// kept: the server refused it and goes on, or it was never sent. A commit that may
// be lost with the primary is not known either, since a standby may take over.
func committed(c *pgxpool.Conn, err error) error {
	if heard := c.Conn().PgConn().CustomData(); err == nil && heard[alone] != nil {
		delete(heard, alone)
		return &unknownError{errAlone}
	}
	state := sqlState(err)
	switch {
	case err == nil, neverSent(err), errors.Is(err, pgx.ErrTxCommitRollback):
		return err
	case state != "" && !fatal(err) && state != completionUnknown && !strings.HasPrefix(state, "08"):
		return err
	default:
		return &unknownError{err}
	}
}

// ownFault reports whether the server refused the values or the statement, so
// that it would do so again, and that has nothing to do with other changes.
func ownFault(err error) bool {
	var own *symbolon.Error
	if errors.As(err, &own) {
		return true
	}
	state := sqlState(err)
	if len(state) != 5 || fatal(err) {
		return false
	}
	switch state[:2] {
	case "22", "23", "42", "54": // data, integrity, the statement, limits of the program
		return true
	}
	return false
}

// passing reports whether nothing was done, and the same may well succeed at once.
func passing(err error) bool {
	var unknown *unknownError
	if errors.As(err, &unknown) {
		return false
	}
	switch sqlState(err) {
	case serializationFailure, deadlockDetected:
		return true
	}
	return errors.Is(err, errLost) || neverSent(err) && !errors.Is(err, errAbsent)
}

// neverSent reports whether it is sure that the server got nothing. The driver's
// own word for that is not enough: of a connection that broke while the answer was
// read it says the same as of one that was closed before, and only the latter is
// safe.
func neverSent(err error) bool {
	return pgconn.SafeToRetry(err) && !errors.Is(err, pgconn.ErrConnClosed)
}

// missing reports whether a query found no row.
func missing(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

// changeError is the error that the caller of a change gets.
func changeError(op string, err error) error {
	var own *symbolon.Error
	var unknown *unknownError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &unknown):
		return symbolon.Wrap(symbolon.Unknown, op, err)
	case ownFault(err):
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
	case ownFault(err) && !errors.Is(err, context.Canceled):
		return symbolon.Wrap(symbolon.Internal, op, err)
	default:
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
}
