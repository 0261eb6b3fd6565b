package symbolon

import (
	"context"
	"net/netip"
	"time"
)

// Store keeps what must be kept: apps, accounts, sign-ins, consents,
// connections and wrapped keys. Its methods are the protocol's verbs.
//
// Atomicity: each method is one transaction. Its condition and its change are
// one step that no other call on any node can come between. Methods may be
// called by many goroutines at once; a store gathers the changes that wait at
// the same moment into one transaction with one commit, and gives each caller
// its own outcome. What makes one call fail fails no other.
//
// Durability: a method that returns without an error has its change on stable
// storage. It survives kill -9 and power loss.
//
// Visibility: what a method has changed is seen by every later call on the same
// node. Other nodes, and other processes on the same data, see it at their next
// call; what they hold in memory they learn from Changes.
//
// Errors are of type *Error. Every method may return Busy: nothing was done,
// and the same call may succeed later; and Unknown: the change may or may not
// be durable, and the caller must answer as if it were Busy. Outcomes that the
// protocol knows are results, not errors. A context that ends stops a read; a
// write that has begun is never undone by it.
//
// Time: each call carries now, read once by its caller. Times are kept in whole
// milliseconds, UTC.
type Store interface {
	// Apps returns the apps that the query selects, ordered by id.
	Apps(ctx context.Context, q AppQuery) ([]App, error)
	// PutApp inserts the app (Version 0) or replaces the row whose version is
	// app.Version; the stored version is one more. Conflict when the row is
	// there already or has another version. The change is in Changes.
	PutApp(ctx context.Context, app App) error

	// Accounts returns the accounts that the query selects, ordered by username.
	Accounts(ctx context.Context, q AccountQuery) ([]Account, error)
	// PutAccount inserts the account (Version 0) or replaces the row whose
	// version is account.Version; the stored version is one more. Conflict
	// when the id, the username or one of Identities is taken or the version is
	// another. Where
	// NotBefore moved forward, or the account was disabled, the change is in
	// Changes and the account's sessions are gone. Whoever disables an account
	// moves NotBefore as well, so that enabling it again revives nothing.
	PutAccount(ctx context.Context, account Account) error

	// SignIn records a session. Every session of the browser previous moves to
	// session.Browser, so that a sign-in changes the cookie's value and keeps
	// the other accounts signed in. Denied when the account is missing,
	// disabled, or ended (NotBefore) at or after session.AuthAt.
	SignIn(ctx context.Context, session Session, previous [32]byte) error
	// Sessions returns the sessions of a browser that are live at now with
	// their accounts, the latest sign-in first. Accounts that are disabled are
	// left out.
	Sessions(ctx context.Context, browser [32]byte, now time.Time) ([]SignedIn, error)
	// AccountSessions returns the sessions of an account that are live at now, in
	// whichever browser, the latest sign-in first.
	AccountSessions(ctx context.Context, account AccountID, now time.Time) ([]Session, error)
	// Allow records that the account allows the app these scopes, beside those
	// it has allowed before. GrantedAt stays that of the first. When that is not
	// after consent.Since, scopes and GrantedAt are replaced. Denied when the
	// account is missing or disabled.
	Allow(ctx context.Context, consent Consent) error
	// Consent returns what the account has allowed the app, or NotFound.
	Consent(ctx context.Context, account AccountID, client ClientID) (Consent, error)

	// Connect is step 3: it gives birth to a connection unless one with its id
	// is there already, which it ends. With Session set, that sign-in of the
	// account must be there still.
	Connect(ctx context.Context, c Connect) (ConnectOutcome, error)
	// Refresh is step 5: a compare-and-set on the connection's sequence number.
	Refresh(ctx context.Context, r Refresh) (RefreshOutcome, error)
	// End is step 6 and every other way in which something ends. What was
	// ended is in Changes. It returns how many rows it ended: 0 when there
	// was nothing left to end.
	//
	// Whenever a connection ends, by whichever method, and its app has a webhook that
	// is told of it, a delivery of TellEvent is in the Outbox: one for each
	// connection, and for everything of an account one for each app that had a live
	// connection of it, for everything of an app one.
	//
	// Whenever sessions end, by End or by PutAccount, each app that has a
	// connection of one is to be told so: one delivery of TellLogout for each
	// session and app is in the Outbox, whether the connection lives or not.
	End(ctx context.Context, e End) (int, error)
	// Connections returns at most limit connections that the query selects,
	// the newest first.
	Connections(ctx context.Context, q ConnectionQuery) ([]Connection, error)

	// Label sets what a person calls a connection of the account. NotFound when the
	// account has no such connection; Invalid when CheckLabel says so.
	Label(ctx context.Context, id ConnectionID, account AccountID, label string) error

	// Changes returns what was ended or edited after the cursor, in the order
	// of the commits, and the cursor to go on from. From the zero cursor it
	// returns everything that is kept, which is at least all since one day
	// ago, at most limit entries at a time. A store that was put back to before
	// the cursor returns nothing and the zero cursor.
	Changes(ctx context.Context, after Cursor, limit int) ([]Change, Cursor, error)

	// Once records that something was used, unless that is recorded already and
	// has not expired by Now. It returns the value that the record has now, and
	// whether this call made it. With Look set it only reads; first is then true
	// when there is no record, and the value nil. Records whose time is over are
	// removed, a few at a time, by later calls. Invalid when Check says so.
	Once(ctx context.Context, o Once) (value []byte, first bool, err error)

	// Scopes returns the scopes to which operators gave a sentence, ordered by name
	// (by its bytes).
	Scopes(ctx context.Context) ([]Scope, error)
	// PutScope gives a scope its sentences, in place of those of was, whose Description
	// is empty where there is none yet. With an empty Description it takes the scope
	// away. Conflict when the scope has others than was, unless it has these already.
	// Invalid when scope.Check says so. It is not in Changes: who needs the scopes reads
	// them.
	PutScope(ctx context.Context, was, scope Scope) error

	// Keys inserts or replaces the keys of put, all at once, and returns every
	// key there is then, in the order of ActiveFrom. With onlyFirst set it does
	// nothing when there is a key for the algorithm of one of them already,
	// retired or not, and returns Conflict. The change is in Changes. Without put
	// it only reads. Unknown when put is durable and what is there then cannot be
	// read.
	Keys(ctx context.Context, put []Key, onlyFirst bool) ([]Key, error)
}

// PutKeys inserts or replaces keys as Store.Keys does.
func PutKeys(ctx context.Context, s Store, put []Key, onlyFirst bool) error {
	_, err := s.Keys(ctx, put, onlyFirst)
	return err
}

// Once is something that may be used once and has no connection that would know:
// the jti of an assertion, a pushed request, a device code.
type Once struct {
	// Key is a SHA-256 over what it is and its value.
	Key [32]byte
	// Value is kept beside it, at most 64 KiB.
	Value []byte
	// ExpiresAt is when the record may be forgotten. It lies after Now, since a
	// record that is over when it is made records nothing, and at most a day.
	ExpiresAt time.Time
	Now       time.Time
	// Look leaves the record as it is.
	Look bool
}

// What bounds the table in which such things are kept.
const (
	maxOnceValue = 64 << 10 // bytes
	maxOnceLife  = 24 * time.Hour
)

// Check reports what no store may record, as an error of kind Invalid. What is
// only looked for is not checked.
func (o *Once) Check(op string) error {
	switch life := o.ExpiresAt.Sub(o.Now); {
	case o.Look:
		return nil
	case len(o.Value) > maxOnceValue:
		return Errorf(Invalid, op, "the value has %d bytes, more than %d", len(o.Value), maxOnceValue)
	case life > maxOnceLife:
		return Errorf(Invalid, op, "it is to be kept for %v, more than %v", life, maxOnceLife)
	case o.ExpiresAt.UnixMilli() <= o.Now.UnixMilli():
		return Errorf(Invalid, op, "it would be forgotten at once")
	}
	return nil
}

// AppQuery selects apps.
type AppQuery struct {
	// ID selects the one app with this id, when set.
	ID ClientID
	// Owner selects the apps of one owner, when set.
	Owner AccountID
	// After selects the apps with greater ids: the next page.
	After ClientID
	// Limit is at least 1.
	Limit int
}

// AccountQuery selects accounts.
type AccountQuery struct {
	// ID and Username each select one account, when set.
	ID       AccountID
	Username string
	// Issuer and Subject, set together, select the account that is linked to them.
	Issuer, Subject string
	// After selects the accounts with greater usernames: the next page.
	After string
	// Limit is at least 1.
	Limit int
}

// SignedIn is a live session with its account.
type SignedIn struct {
	Session Session
	Account Account
}

// Connect is the change of step 3.
type Connect struct {
	// Connection is the row to insert.
	Connection Connection
	// CodeIssuedAt is when the code was sealed. Account and app must not have
	// been ended (NotBefore) at or after it, and the consent must be as old.
	CodeIssuedAt time.Time
	// Sandbox leaves the consent out.
	Sandbox bool
	// Spare leaves a row that is there already as it is; the outcome is
	// CodeReplayed all the same. A device asks again and again by its nature.
	Spare bool
	// One ends the other connections of the account to the app, by the reason
	// ByNewer, so that the one with the greatest id is the only one. A connection
	// that is not the newest is not born: ConnectDenied.
	One bool
	// Tell says that the app's webhook is told of the birth.
	Tell bool
	// From is whom the request came from, which becomes UsedFrom.
	From netip.Addr
	Now  time.Time
}

// ConnectOutcome is what came of a Connect.
type ConnectOutcome uint8

const (
	// Connected: the row is there, and this call made it.
	Connected ConnectOutcome = iota + 1
	// CodeReplayed: a row with this id was there. It is ended now, if it
	// was not before.
	CodeReplayed
	// ConnectDenied: the account or the app is missing, disabled or ended, the
	// session has ended, the consent was withdrawn, or with One a newer connection
	// lives. Nothing was written.
	ConnectDenied
)

// Refresh is the change of step 5.
type Refresh struct {
	ID ConnectionID
	// Seq is the sequence number in the refresh token that was presented.
	Seq uint64
	// Rotation is the app's policy.
	Rotation Rotation
	// Grace is how long after a rotation the predecessor still gets its
	// successor again. Negative means: until the successor is used.
	Grace time.Duration
	// ExpiresAt is when the connection shall die unless it is refreshed again.
	ExpiresAt time.Time
	// From is whom the request came from. It becomes UsedFrom where the row moves on.
	From netip.Addr
	// Tell says that the app's webhook is told of it, when it is Rotated, CaughtUp or
	// Kept.
	Tell bool
	Now  time.Time
}

// RefreshOutcome is what came of a Refresh.
type RefreshOutcome struct {
	Result RefreshResult
	// Seq is the sequence number of the refresh token to answer with, when
	// Result is Rotated, Repeated, CaughtUp or Kept.
	Seq uint64
	// At is when that sequence number became current: the successor's issue
	// time, the same however often it is asked for.
	At time.Time
	// ExpiresAt is when the connection dies unless it is refreshed again, as
	// the row has it now.
	ExpiresAt time.Time
}

// RefreshResult says how a refresh token that was presented stands to the row.
type RefreshResult uint8

const (
	// Rotated: it was current; the row moved on.
	Rotated RefreshResult = iota + 1
	// Repeated: it is the predecessor of the current one, which no one has
	// used. Nothing was written.
	Repeated
	// Kept: the app does not rotate. The same token stays current.
	Kept
	// CaughtUp: it is newer than the row, so the store was rolled back. The
	// row has caught up and moved on.
	CaughtUp
	// RefreshReplayed: it is older than it may be. The connection is ended now.
	RefreshReplayed
	// RefreshEnded: the connection was ended before.
	RefreshEnded
	// RefreshDenied: the connection is missing or has expired, its account or
	// app is missing or was ended (NotBefore) at or after the time in its id, or the
	// account is disabled. Nothing was written.
	RefreshDenied
)

// End names what to end. Exactly one of Connection, Browser, Session, and the pair of
// Account and Client is set, except that Account beside Browser narrows it, and stands
// beside Session always.
type End struct {
	// Connection ends one connection.
	Connection ConnectionID
	// Browser ends the sessions of a browser: that of Account, or all; those are
	// the rows that it counts. The connections of these sessions end with them,
	// one by one, unless offline_access was granted. The sessions themselves leave
	// no Change, since they are read from the store each time.
	Browser [32]byte
	// Session ends one session of Account, in whichever browser, as Browser does.
	Session SessionID
	// Account and Client end every connection between the two, and forget the
	// consent. With Client empty: all of the account's connections, consents
	// and sessions. With Account empty: all of the app's connections and
	// consents. Everything made for them up to and including Now is over. It
	// costs one row (NotBefore) however many connections there are, except
	// for the pair, whose connections are few and are marked one by one.
	Account AccountID
	Client  ClientID
	// Token ends a value that may belong to no row: Connection is the id in it.
	// What was ended is in Changes all the same, and the count is 1 when there was
	// no such row; a second time as well, since there is nothing that would know
	// of the first, and reading it twice changes nothing. A row that is there is
	// ended as without Token: one that was ended before counts 0.
	Token bool
	// Delete also deletes the row of the account or of the app, whichever
	// alone is set.
	Delete bool

	Reason Reason
	Now    time.Time
}

// ConnectionQuery selects connections.
type ConnectionQuery struct {
	// ID, Account and Client each narrow the selection when set.
	ID      ConnectionID
	Account AccountID
	Client  ClientID
	// Before narrows it to ids less than this one, when set: the next page.
	Before ConnectionID
	// Live leaves out what has ended or is expired at Now.
	Live bool
	Now  time.Time
	// DiesFrom and DiesBefore narrow it to those whose ExpiresAt is at or after the
	// one and before the other, when set.
	DiesFrom, DiesBefore time.Time
	// Limit is at least 1.
	Limit int
}

// Cursor is a place in the sequence of changes. The zero value is its start.
type Cursor int64

// ChangeKind says what a Change is about.
type ChangeKind uint8

const (
	// ConnectionEnded: the connection ID is over.
	ConnectionEnded ChangeKind = iota + 1
	// AccountEnded: everything of Account made up to and including Before is
	// over.
	AccountEnded
	// AppEnded: everything of Client made up to and including Before is over.
	AppEnded
	// PairEnded: everything between Account and Client made up to and
	// including Before is over.
	PairEnded
	// AppChanged: what is held in memory about Client is out of date.
	AppChanged
	// KeysChanged: what is held in memory about the keys is out of date.
	KeysChanged
)

// Change is one entry of Changes.
type Change struct {
	Kind    ChangeKind
	ID      ConnectionID
	Account AccountID
	Client  ClientID
	Before  time.Time
	// At is when the change was made.
	At time.Time
}
