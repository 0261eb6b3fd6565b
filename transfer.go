package symbolon

import (
	"context"
	"errors"
	"strings"
)

// What a store holds can be carried to another: both describe their tables in the
// words of this file. The rows are carried as they are kept, with their numbers,
// and not as the nouns that they mean, so that what nobody can ask for any more,
// such as the row of an account that was deleted, comes along.

// Table describes one table, which has the same name and the same columns in each
// store.
type Table struct {
	Name string
	// Columns are in the order in which a Row has their values.
	Columns []Column
	// Key is how many of the first columns are the key, in whose order rows
	// are read. Both stores order it alike: numbers by size, text and bytes by
	// their bytes.
	Key int
	// Page is how many rows of it are read at a time, so that they take a few
	// MB at most, however large each may be.
	Page int
}

// Column is one column of a Table.
type Column struct {
	Name string
	Kind ColumnKind
}

// ColumnList returns the names of columns, as a statement in SQL lists them.
func ColumnList(columns []Column) string {
	var list []string
	for _, c := range columns {
		list = append(list, c.Name)
	}
	return strings.Join(list, ", ")
}

// ColumnKind says what a Row holds in a column. Where the schema lets a value be
// missing, it is nil.
type ColumnKind uint8

const (
	// Number is an int64.
	Number ColumnKind = iota + 1
	// Truth is a bool.
	Truth
	// Text is a string.
	Text
	// Octets is a []byte.
	Octets
	// ID128 is a []byte with the 16 bytes of an id.
	ID128
)

// Row has a value for each column of its table.
type Row []any

// Tables returns every table whose rows are carried, in the order in which they
// are. Beside them, a store keeps what StoreState says.
func Tables() []Table {
	return []Table{
		{Name: "sealing_key", Key: 1, Page: 256, Columns: []Column{
			{"id", Number}, {"algorithm", Text}, {"wrapped", Octets}, {"active_from", Number}, {"retired_at", Number},
		}},
		{Name: "app", Key: 1, Page: 64, Columns: []Column{
			{"no", Number}, {"id", Text}, {"name", Text}, {"home", Text}, {"public", Truth}, {"secrets", Text},
			{"redirect_uris", Text}, {"scope", Text}, {"rotation", Text}, {"require_pkce", Truth}, {"settings", Text},
			{"sandbox", Truth}, {"created_at", Number}, {"deleted_at", Number}, {"not_before", Number}, {"version", Number},
			{"events", Number},
			{"owner", Text},
		}},
		{Name: "account", Key: 1, Page: 4096, Columns: []Column{
			{"no", Number}, {"id", Text}, {"username", Text}, {"name", Text}, {"password", Text}, {"sandbox", Truth},
			{"created_at", Number}, {"disabled_at", Number}, {"deleted_at", Number}, {"not_before", Number}, {"version", Number},
			{"profile", Text}, {"factors", Text}, {"operator", Truth},
		}},
		{Name: "identity", Key: 2, Page: 1024, Columns: []Column{
			{"issuer", Text}, {"subject", Text}, {"account_no", Number}, {"name", Text}, {"added_at", Number},
		}},
		{Name: "scope", Key: 1, Page: 1024, Columns: []Column{
			{"name", Text}, {"description", Text}, {"local", Text},
		}},
		{Name: "consent", Key: 2, Page: 1024, Columns: []Column{
			{"account_no", Number}, {"client", Text}, {"scope", Text}, {"granted_at", Number},
		}},
		{Name: "connection", Key: 1, Page: 4096, Columns: []Column{
			{"id", ID128}, {"account_no", Number}, {"app_no", Number}, {"scope", Text}, {"seq", Number}, {"created_at", Number},
			{"refreshed_at", Number}, {"expires_at", Number}, {"ended_at", Number}, {"ended_by", Text}, {"session", ID128},
			{"label", Text}, {"used_from", ID128},
		}},
		{Name: "session", Key: 2, Page: 4096, Columns: []Column{
			{"browser", Octets}, {"account_no", Number}, {"auth_at", Number}, {"expires_at", Number}, {"id", ID128}, {"acr", Text},
			{"agent", Text}, {"address", ID128},
		}},
		{Name: "change", Key: 1, Page: 4096, Columns: []Column{
			{"no", Number}, {"kind", Number}, {"connection", ID128}, {"account", Text}, {"client", Text}, {"before", Number}, {"at", Number},
		}},
		// A value may have 64 KiB.
		{Name: "once", Key: 1, Page: 64, Columns: []Column{
			{"key", Octets}, {"value", Octets}, {"expires_at", Number},
		}},
		// A body may have 16 KiB.
		{Name: "delivery", Key: 1, Page: 256, Columns: []Column{
			{"id", ID128}, {"kind", Text}, {"client", Text}, {"account", Text}, {"session", ID128}, {"body", Octets},
			{"made_at", Number}, {"due_at", Number}, {"expires_at", Number}, {"attempts", Number},
		}},
	}
}

// StoreState is what a store says of itself, beside its rows.
type StoreState struct {
	// Epoch is the identity of the data. It is carried along.
	Epoch [16]byte
	// Commits is a count that grows with what is written: when two states of one
	// epoch have the same, nothing was written between them. It is carried along.
	Commits uint64
	// Sandbox is set where the data is for trying out.
	Sandbox bool
	// LastChange is the number of the last change, which may have been swept. It
	// is carried along.
	LastChange int64
	// Moving is set while the store is being filled from another. Epoch and
	// Commits are those of that one, then.
	Moving bool
	// MovedTo says where the data was moved to, or is empty.
	MovedTo string
}

// Why a store is not opened for a server, in the chain of an Error of kind Denied.
var (
	// ErrMoved: its data was moved to another store.
	ErrMoved = errors.New("the data was moved away")
	// ErrMoving: it is being filled from another store and is not whole yet.
	ErrMoving = errors.New("the data is not all here yet")
	// ErrNewer: a newer version of this program wrote it.
	ErrNewer = errors.New("use the newer program")
)

// Holder is a store whose rows can be read as they are kept. Its methods, and those
// of Source and Target, are for who carries the data, while no server runs on the
// store. Errors are as those of Store.
type Holder interface {
	// State returns what the store says of itself.
	State(ctx context.Context) (StoreState, error)
	// Count returns how many rows the table has.
	Count(ctx context.Context, t Table) (int64, error)
	// Page returns at most t.Page rows in the order of the key: those whose key
	// is greater than that of after, or the first ones when after is nil.
	Page(ctx context.Context, t Table, after Row) ([]Row, error)
}

// Source is a store whose data can be moved to another.
type Source interface {
	Holder
	// Leave says in the store that its data was moved to where to says: from
	// then on no server opens it, and who has it open changes nothing any more.
	// Conflict when it was changed since it was in the given state. It may be
	// called again.
	Leave(ctx context.Context, as StoreState, to string) error
}

// Target is a store that can be filled with the rows of another.
type Target interface {
	Holder
	// Enter says in the store that it is being filled with the data of a store in
	// the given state. Until Settle, no server opens it.
	Enter(ctx context.Context, from StoreState) error
	// Last returns a row with the key of the last row of the table, or nil. Its
	// other columns are missing.
	Last(ctx context.Context, t Table) (Row, error)
	// Clear removes every row of the table.
	Clear(ctx context.Context, t Table) error
	// Load adds rows to the table, in the order of the key and behind all that
	// it has: all of them or, with an error, perhaps none. They are durable after
	// Settle at the latest.
	Load(ctx context.Context, t Table, rows []Row) error
	// Settle ends what Enter has begun: the store has the state of the other, is
	// whole, and a server may open it.
	Settle(ctx context.Context, from StoreState) error
}
