package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// Fault is a way in which a store fails a call.
type Fault uint8

const (
	// NoFault lets the call through.
	NoFault Fault = iota
	// Lost: nothing happened, and the store says so: Busy.
	Lost
	// LostUnknown: nothing happened, and the store does not know: Unknown.
	LostUnknown
	// Unanswered: the change is durable, and the store does not know: Unknown.
	Unanswered
)

// Faults are all the ways in which a store fails.
var Faults = []Fault{Lost, LostUnknown, Unanswered}

func (f Fault) String() string {
	return [...]string{"no fault", "lost", "lost, outcome unknown", "applied but unanswered"}[f]
}

// Faulty is a Store that fails the calls that its plan says.
type Faulty struct {
	symbolon.Store
	mu   sync.Mutex
	plan func(verb string) Fault
}

// NewFaulty returns a store that lets every call through until Plan is called.
func NewFaulty(store symbolon.Store) *Faulty {
	return &Faulty{Store: store, plan: func(string) Fault { return NoFault }}
}

// Plan sets what each further call of a method, by its name, shall suffer. Plan
// runs under a lock, so it may count.
func (f *Faulty) Plan(plan func(verb string) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = plan
}

// FailNext makes the next call of the method fail, and no other.
func (f *Faulty) FailNext(verb string, fault Fault) {
	f.Plan(func(called string) Fault {
		if called != verb {
			return NoFault
		}
		this := fault
		fault = NoFault
		return this
	})
}

// write runs a change under the plan.
func (f *Faulty) write(verb string, change func() error) error {
	f.mu.Lock()
	fault := f.plan(verb)
	f.mu.Unlock()
	switch fault {
	case Lost:
		return symbolon.Errorf(symbolon.Busy, "faulty: "+verb, "lost")
	case LostUnknown:
		return symbolon.Errorf(symbolon.Unknown, "faulty: "+verb, "lost")
	case Unanswered:
		if err := change(); err != nil {
			return err
		}
		return symbolon.Errorf(symbolon.Unknown, "faulty: "+verb, "applied but unanswered")
	default:
		return change()
	}
}

// value runs a change that has an outcome.
func value[T any](f *Faulty, verb string, change func() (T, error)) (T, error) {
	var out, none T
	err := f.write(verb, func() (err error) {
		out, err = change()
		return err
	})
	if err != nil {
		return none, err
	}
	return out, nil
}

// read runs a read: a fault of any sort is Busy.
func read[T any](f *Faulty, verb string, look func() (T, error)) (T, error) {
	f.mu.Lock()
	fault := f.plan(verb)
	f.mu.Unlock()
	if fault != NoFault {
		var none T
		return none, symbolon.Errorf(symbolon.Busy, "faulty: "+verb, "away")
	}
	return look()
}

// Apps implements symbolon.Store.
func (f *Faulty) Apps(ctx context.Context, q symbolon.AppQuery) ([]symbolon.App, error) {
	return read(f, "Apps", func() ([]symbolon.App, error) { return f.Store.Apps(ctx, q) })
}

// PutApp implements symbolon.Store.
func (f *Faulty) PutApp(ctx context.Context, app symbolon.App) error {
	return f.write("PutApp", func() error { return f.Store.PutApp(ctx, app) })
}

// Accounts implements symbolon.Store.
func (f *Faulty) Accounts(ctx context.Context, q symbolon.AccountQuery) ([]symbolon.Account, error) {
	return read(f, "Accounts", func() ([]symbolon.Account, error) { return f.Store.Accounts(ctx, q) })
}

// PutAccount implements symbolon.Store.
func (f *Faulty) PutAccount(ctx context.Context, account symbolon.Account) error {
	return f.write("PutAccount", func() error { return f.Store.PutAccount(ctx, account) })
}

// SignIn implements symbolon.Store.
func (f *Faulty) SignIn(ctx context.Context, session symbolon.Session, previous [32]byte) error {
	return f.write("SignIn", func() error { return f.Store.SignIn(ctx, session, previous) })
}

// Sessions implements symbolon.Store.
func (f *Faulty) Sessions(ctx context.Context, browser [32]byte, now time.Time) ([]symbolon.SignedIn, error) {
	return read(f, "Sessions", func() ([]symbolon.SignedIn, error) { return f.Store.Sessions(ctx, browser, now) })
}

// AccountSessions implements symbolon.Store.
func (f *Faulty) AccountSessions(ctx context.Context, account symbolon.AccountID, now time.Time) ([]symbolon.Session, error) {
	return read(f, "AccountSessions", func() ([]symbolon.Session, error) { return f.Store.AccountSessions(ctx, account, now) })
}

// Allow implements symbolon.Store.
func (f *Faulty) Allow(ctx context.Context, consent symbolon.Consent) error {
	return f.write("Allow", func() error { return f.Store.Allow(ctx, consent) })
}

// Consent implements symbolon.Store.
func (f *Faulty) Consent(ctx context.Context, account symbolon.AccountID, client symbolon.ClientID) (symbolon.Consent, error) {
	return read(f, "Consent", func() (symbolon.Consent, error) { return f.Store.Consent(ctx, account, client) })
}

// Connect implements symbolon.Store.
func (f *Faulty) Connect(ctx context.Context, c symbolon.Connect) (symbolon.ConnectOutcome, error) {
	return value(f, "Connect", func() (symbolon.ConnectOutcome, error) { return f.Store.Connect(ctx, c) })
}

// Refresh implements symbolon.Store.
func (f *Faulty) Refresh(ctx context.Context, r symbolon.Refresh) (symbolon.RefreshOutcome, error) {
	return value(f, "Refresh", func() (symbolon.RefreshOutcome, error) { return f.Store.Refresh(ctx, r) })
}

// End implements symbolon.Store.
func (f *Faulty) End(ctx context.Context, e symbolon.End) (int, error) {
	return value(f, "End", func() (int, error) { return f.Store.End(ctx, e) })
}

// Connections implements symbolon.Store.
func (f *Faulty) Connections(ctx context.Context, q symbolon.ConnectionQuery) ([]symbolon.Connection, error) {
	return read(f, "Connections", func() ([]symbolon.Connection, error) { return f.Store.Connections(ctx, q) })
}

// Label implements symbolon.Store.
func (f *Faulty) Label(ctx context.Context, id symbolon.ConnectionID, account symbolon.AccountID, label string) error {
	return f.write("Label", func() error { return f.Store.Label(ctx, id, account, label) })
}

// Changes implements symbolon.Store.
func (f *Faulty) Changes(ctx context.Context, after symbolon.Cursor, limit int) ([]symbolon.Change, symbolon.Cursor, error) {
	next := after
	list, err := read(f, "Changes", func() (list []symbolon.Change, err error) {
		list, next, err = f.Store.Changes(ctx, after, limit)
		return list, err
	})
	return list, next, err
}

// Keys implements symbolon.Store.
func (f *Faulty) Keys(ctx context.Context, put []symbolon.Key, onlyFirst bool) ([]symbolon.Key, error) {
	call := func() ([]symbolon.Key, error) { return f.Store.Keys(ctx, put, onlyFirst) }
	if len(put) == 0 {
		return read(f, "Keys", call)
	}
	return value(f, "Keys", call)
}

// Once implements symbolon.Store.
func (f *Faulty) Once(ctx context.Context, o symbolon.Once) ([]byte, bool, error) {
	first := false
	kept, err := value(f, "Once", func() (kept []byte, err error) {
		kept, first, err = f.Store.Once(ctx, o)
		return kept, err
	})
	return kept, first && err == nil, err
}

// Scopes implements symbolon.Store.
func (f *Faulty) Scopes(ctx context.Context) ([]symbolon.Scope, error) {
	return read(f, "Scopes", func() ([]symbolon.Scope, error) { return f.Store.Scopes(ctx) })
}

// PutScope implements symbolon.Store.
func (f *Faulty) PutScope(ctx context.Context, was, scope symbolon.Scope) error {
	return f.write("PutScope", func() error { return f.Store.PutScope(ctx, was, scope) })
}
