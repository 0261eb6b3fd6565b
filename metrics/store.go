package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/symbolon/symbolon"
)

// Verb is a method of symbolon.Store.
type Verb uint8

// The verbs.
const (
	callApps Verb = iota
	callPutApp
	callAccounts
	callPutAccount
	callSignIn
	callSessions
	callAllow
	callConsent
	callConnect
	callRefresh
	callEnd
	callConnections
	callChanges
	callOnce
	callKeys
	callLabel
	callAccountSessions
	callScopes
	callPutScope
	verbs // how many there are
)

var verbNames = [verbs]string{"apps", "put_app", "accounts", "put_account", "sign_in", "sessions", "allow", "consent", "connect", "refresh", "end", "connections", "changes", "once", "keys", "label", "account_sessions", "scopes", "put_scope"}

// String returns the method's name in lower case, with _ between its words.
func (v Verb) String() string { return verbNames[v] }

// kindNames are the outcomes of a call: ok, then the kinds of symbolon.Error.
var kindNames = [...]string{
	"ok",
	1 + symbolon.Internal: "internal",
	1 + symbolon.Invalid:  "invalid",
	1 + symbolon.Denied:   "denied",
	1 + symbolon.NotFound: "not_found",
	1 + symbolon.Conflict: "conflict",
	1 + symbolon.Busy:     "busy",
	1 + symbolon.Unknown:  "unknown",
}

const kindBusy = 1 + int(symbolon.Busy)

// kindOf returns the index of an outcome in kindNames.
func kindOf(err error) int {
	if err == nil {
		return 0
	}
	return 1 + int(symbolon.KindOf(err))
}

// storeBuckets are seconds: from a row in the cache to a call that gives up.
var storeBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// The results of step 5 and step 3, as they are named in metrics.
var (
	refreshResults = [...]string{
		symbolon.Rotated: "rotated", symbolon.Repeated: "repeated", symbolon.Kept: "kept", symbolon.CaughtUp: "caught_up",
		symbolon.RefreshReplayed: "replayed", symbolon.RefreshEnded: "ended", symbolon.RefreshDenied: "denied",
	}
	connectResults = [...]string{symbolon.Connected: "connected", symbolon.CodeReplayed: "replayed", symbolon.ConnectDenied: "denied"}
)

// repeated is what becomes of a device code that is asked for again: no one's fault.
const repeated = "repeated"

type storeMetrics struct {
	duration  [verbs]prometheus.Observer
	ok, busy  [verbs]prometheus.Counter
	calls     *prometheus.CounterVec
	refreshes [len(refreshResults)]prometheus.Counter
	connects  [len(connectResults)]prometheus.Counter
	repeated  prometheus.Counter
	ended     prometheus.Counter
}

func (m *Metrics) newStore() {
	duration := m.histograms("store_call_duration_seconds", "How long calls of the store took.", storeBuckets, "verb")
	m.store.calls = m.counters("store_calls_total", "Calls of the store, by what came of them: ok, or the kind of the error.", "verb", "outcome")
	for v := range verbs {
		m.store.duration[v] = duration.WithLabelValues(v.String())
		m.store.ok[v] = m.store.calls.WithLabelValues(v.String(), kindNames[0])
		m.store.busy[v] = m.store.calls.WithLabelValues(v.String(), kindNames[kindBusy])
	}
	refreshes := m.counters("refreshes_total", "Refresh tokens that were presented and well formed, by how they stand to their connection: replayed means that a copy was used, caught_up that the database is older than the token.", "result")
	for i, name := range refreshResults {
		if name != "" {
			m.store.refreshes[i] = refreshes.WithLabelValues(name)
		}
	}
	connects := m.counters("connects_total", "Codes that were redeemed, by what came of it: replayed means that a code was used a second time.", "result")
	for i, name := range connectResults {
		if name != "" {
			m.store.connects[i] = connects.WithLabelValues(name)
		}
	}
	m.store.repeated = connects.WithLabelValues(repeated)
	m.store.ended = m.counters("ends_total", "Calls by which something was ended: a connection, or everything of an account or an app.").WithLabelValues()
}

// Trace begins a span of a call of the store; the function that it returns ends it.
type Trace func(ctx context.Context, verb Verb) (context.Context, func(error))

// Store returns the store with each of its calls counted and timed, and traced
// when trace is not nil.
func (m *Metrics) Store(s symbolon.Store, trace Trace) symbolon.Store {
	return &store{to: s, m: &m.store, trace: trace}
}

// store implements symbolon.Store by another one.
type store struct {
	to    symbolon.Store
	m     *storeMetrics
	trace Trace
}

var _ symbolon.Store = (*store)(nil)

// call is one call on its way.
type call struct {
	verb  Verb
	began time.Time
	span  func(error)
}

func (s *store) begin(ctx context.Context, verb Verb) (context.Context, call) {
	c := call{verb: verb}
	if s.trace != nil {
		ctx, c.span = s.trace(ctx, verb)
	}
	c.began = time.Now()
	return ctx, c
}

// end counts a call and returns its error.
func (s *store) end(c *call, err error) error {
	s.m.duration[c.verb].Observe(time.Since(c.began).Seconds())
	switch kind := kindOf(err); kind {
	case 0:
		s.m.ok[c.verb].Inc()
	case kindBusy:
		s.m.busy[c.verb].Inc()
	default: // seldom, so that a series is made when there is one
		s.m.calls.WithLabelValues(c.verb.String(), kindNames[kind]).Inc()
	}
	if c.span != nil {
		c.span(err)
	}
	return err
}

// Apps implements symbolon.Store.
func (s *store) Apps(ctx context.Context, q symbolon.AppQuery) ([]symbolon.App, error) {
	ctx, c := s.begin(ctx, callApps)
	list, err := s.to.Apps(ctx, q)
	return list, s.end(&c, err)
}

// PutApp implements symbolon.Store.
func (s *store) PutApp(ctx context.Context, app symbolon.App) error {
	ctx, c := s.begin(ctx, callPutApp)
	return s.end(&c, s.to.PutApp(ctx, app))
}

// Accounts implements symbolon.Store.
func (s *store) Accounts(ctx context.Context, q symbolon.AccountQuery) ([]symbolon.Account, error) {
	ctx, c := s.begin(ctx, callAccounts)
	list, err := s.to.Accounts(ctx, q)
	return list, s.end(&c, err)
}

// PutAccount implements symbolon.Store.
func (s *store) PutAccount(ctx context.Context, account symbolon.Account) error {
	ctx, c := s.begin(ctx, callPutAccount)
	return s.end(&c, s.to.PutAccount(ctx, account))
}

// SignIn implements symbolon.Store.
func (s *store) SignIn(ctx context.Context, session symbolon.Session, previous [32]byte) error {
	ctx, c := s.begin(ctx, callSignIn)
	return s.end(&c, s.to.SignIn(ctx, session, previous))
}

// Sessions implements symbolon.Store.
func (s *store) Sessions(ctx context.Context, browser [32]byte, now time.Time) ([]symbolon.SignedIn, error) {
	ctx, c := s.begin(ctx, callSessions)
	list, err := s.to.Sessions(ctx, browser, now)
	return list, s.end(&c, err)
}

// Allow implements symbolon.Store.
func (s *store) Allow(ctx context.Context, consent symbolon.Consent) error {
	ctx, c := s.begin(ctx, callAllow)
	return s.end(&c, s.to.Allow(ctx, consent))
}

// Consent implements symbolon.Store.
func (s *store) Consent(ctx context.Context, account symbolon.AccountID, client symbolon.ClientID) (symbolon.Consent, error) {
	ctx, c := s.begin(ctx, callConsent)
	consent, err := s.to.Consent(ctx, account, client)
	return consent, s.end(&c, err)
}

// Connect implements symbolon.Store.
func (s *store) Connect(ctx context.Context, q symbolon.Connect) (symbolon.ConnectOutcome, error) {
	ctx, c := s.begin(ctx, callConnect)
	outcome, err := s.to.Connect(ctx, q)
	switch {
	case err != nil:
	case outcome == symbolon.CodeReplayed && q.Spare:
		s.m.repeated.Inc()
	case int(outcome) < len(connectResults) && outcome > 0:
		s.m.connects[outcome].Inc()
	}
	return outcome, s.end(&c, err)
}

// Refresh implements symbolon.Store.
func (s *store) Refresh(ctx context.Context, r symbolon.Refresh) (symbolon.RefreshOutcome, error) {
	ctx, c := s.begin(ctx, callRefresh)
	outcome, err := s.to.Refresh(ctx, r)
	if err == nil && int(outcome.Result) < len(refreshResults) && outcome.Result > 0 {
		s.m.refreshes[outcome.Result].Inc()
	}
	return outcome, s.end(&c, err)
}

// End implements symbolon.Store.
func (s *store) End(ctx context.Context, e symbolon.End) (int, error) {
	ctx, c := s.begin(ctx, callEnd)
	n, err := s.to.End(ctx, e)
	if err == nil && n > 0 {
		s.m.ended.Inc()
	}
	return n, s.end(&c, err)
}

// Connections implements symbolon.Store.
func (s *store) Connections(ctx context.Context, q symbolon.ConnectionQuery) ([]symbolon.Connection, error) {
	ctx, c := s.begin(ctx, callConnections)
	list, err := s.to.Connections(ctx, q)
	return list, s.end(&c, err)
}

// Changes implements symbolon.Store.
func (s *store) Changes(ctx context.Context, after symbolon.Cursor, limit int) ([]symbolon.Change, symbolon.Cursor, error) {
	ctx, c := s.begin(ctx, callChanges)
	list, cursor, err := s.to.Changes(ctx, after, limit)
	return list, cursor, s.end(&c, err)
}

// Once implements symbolon.Store.
func (s *store) Once(ctx context.Context, o symbolon.Once) ([]byte, bool, error) {
	ctx, c := s.begin(ctx, callOnce)
	value, first, err := s.to.Once(ctx, o)
	return value, first, s.end(&c, err)
}

// Label implements symbolon.Store.
func (s *store) Label(ctx context.Context, id symbolon.ConnectionID, account symbolon.AccountID, label string) error {
	ctx, c := s.begin(ctx, callLabel)
	return s.end(&c, s.to.Label(ctx, id, account, label))
}

// AccountSessions implements symbolon.Store.
func (s *store) AccountSessions(ctx context.Context, account symbolon.AccountID, now time.Time) ([]symbolon.Session, error) {
	ctx, c := s.begin(ctx, callAccountSessions)
	list, err := s.to.AccountSessions(ctx, account, now)
	return list, s.end(&c, err)
}

// Scopes implements symbolon.Store.
func (s *store) Scopes(ctx context.Context) ([]symbolon.Scope, error) {
	ctx, c := s.begin(ctx, callScopes)
	list, err := s.to.Scopes(ctx)
	return list, s.end(&c, err)
}

// PutScope implements symbolon.Store.
func (s *store) PutScope(ctx context.Context, was, scope symbolon.Scope) error {
	ctx, c := s.begin(ctx, callPutScope)
	return s.end(&c, s.to.PutScope(ctx, was, scope))
}

// Keys implements symbolon.Store.
func (s *store) Keys(ctx context.Context, put []symbolon.Key, onlyFirst bool) ([]symbolon.Key, error) {
	ctx, c := s.begin(ctx, callKeys)
	list, err := s.to.Keys(ctx, put, onlyFirst)
	return list, s.end(&c, err)
}
