package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// DeviceRequest is a device authorization request (RFC 8628 §3.1).
type DeviceRequest struct {
	Credentials Credentials
	Scope       string
	Resource    []string
	Details     string

	faults map[string]string
}

// deviceNames are the parameters of such a request that may appear once.
var deviceNames = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "authorization_details"}

// ReadDevice reads the parameters of a device authorization request. The
// credentials of an Authorization header are in c.
func ReadDevice(p *Params, c Credentials) DeviceRequest {
	f := fields{params: p}
	f.credentials(&c)
	r := DeviceRequest{Credentials: c, Scope: f.read("scope"), Resource: f.all("resource"), Details: f.read("authorization_details")}
	r.faults = f.faults
	return r
}

// DeviceAuthorization is the answer (RFC 8628 §3.2). The verification URI is the
// web's to say. Times are whole seconds.
type DeviceAuthorization struct {
	DeviceCode string
	UserCode   string
	ExpiresIn  int64
	Interval   int64
	// Client is the app that asked, for the log.
	Client symbolon.ClientID
}

const (
	// devicesLimit is how many device codes an address may ask for in a minute
	// for one app: each is a row, and nothing has been proven for it.
	devicesLimit = 30
	// devicesInAll is that number for all addresses and apps together.
	devicesInAll = 1000
	// triesLimit is how many wrong user codes an account, or an address, may type
	// in ten minutes. Of 20^8 codes, 20 tries find one of a thousand that are
	// open with a chance of 2^-20; and who types must be signed in (RFC 8628 §5.1).
	triesLimit = 20
	// pollInterval is how many seconds a device waits between two requests.
	pollInterval = 5
)

// AuthorizeDevice begins the device grant (RFC 8628 §3.1). The app is known by
// its client_id; if it sends credentials, they must be right. Some clients send
// none here, so a missing one is no fault: the token endpoint asks again.
func (e *Engine) AuthorizeDevice(ctx context.Context, req *DeviceRequest) (*DeviceAuthorization, error) {
	for _, name := range append([]string{"resource"}, deviceNames...) {
		if fault := req.faults[name]; fault != "" {
			return nil, faulty(name, fault)
		}
	}
	now := e.clock.Now()

	// 1. Who asks?
	app, err := e.identify(ctx, &req.Credentials, now)
	if err != nil {
		return nil, err
	}
	c := &caller{app: app, now: now}
	if !app.MayUse(symbolon.GrantDevice) {
		return nil, c.no(UnauthorizedClient, "This app is not registered for the device grant; its owner can allow it.")
	}

	// 2. What is asked?
	code := symbolon.Code{Grant: symbolon.Grant{Connection: symbolon.NewConnectionID(now), Client: app.ID, IssuedAt: now, ExpiresAt: now.Add(e.cfg.DeviceLifetime)}}
	if code.Scope, err = e.askedScope(c, req.Scope); err != nil {
		return nil, err
	}
	if code.Resource, err = e.target(app, req.Resource); err != nil {
		return nil, storeError(err).from(app.ID)
	}
	if err := e.adminTarget(app, code.Scope, code.Resource); err != nil {
		return nil, storeError(err).from(app.ID)
	}
	if code.Details, err = e.askedDetails(c, req.Details); err != nil {
		return nil, err
	}
	// What one address is refused does not count for all: it would shut all out.
	wait := e.begun.add(guess{app.ID, network(req.Credentials.Address)}, now)
	if wait == 0 {
		wait = e.all.add(guess{}, now)
	}
	if wait > 0 {
		r := c.no(TooManyRequests, "Too many device codes were asked for; wait before the next one.")
		r.RetryAfter = wait
		return nil, r
	}

	// 3. Keep it: a person types a few letters, which cannot hold it.
	plain, err := code.AppendBinary(nil)
	if err != nil {
		return nil, storeError(err)
	}
	user := newUserCode()
	record := symbolon.Once{Key: userCodeKey(user), Value: plain, ExpiresAt: code.ExpiresAt, Now: now}
	_, first, err := e.store.Once(ctx, record)
	if err == nil && !first {
		err = symbolon.Errorf(symbolon.Busy, "device", "the user code is taken") // one in 2^34
	}
	if err != nil {
		return nil, storeError(err).from(app.ID)
	}
	text, err := e.sealed(seal.DeviceCode, &code, now)
	if err != nil {
		return nil, err
	}
	return &DeviceAuthorization{
		DeviceCode: text, UserCode: user[:4] + "-" + user[4:], Client: app.ID,
		ExpiresIn: int64(e.cfg.DeviceLifetime / time.Second), Interval: pollInterval,
	}, nil
}

// identify is authenticate for an endpoint at which a client_id alone will do.
func (e *Engine) identify(ctx context.Context, c *Credentials, now time.Time) (*symbolon.App, error) {
	if c.Basic || c.fault != "" || c.BodySecret != "" || c.Assertion != "" || c.BodyID == "" {
		return e.authenticate(ctx, c, now)
	}
	return e.client(ctx, c.BodyID, false)
}

// userCodeLetters are consonants that are not mistaken for each other or for
// digits, so that no code is a word (RFC 8628 §6.1).
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

const userCodeLen = 8

func newUserCode() string {
	var code [userCodeLen]byte
	var b [1]byte
	for i := 0; i < len(code); {
		rand.Read(b[:])
		if n := int(b[0]); n < 240 { // a multiple of 20: each letter is as likely
			code[i] = userCodeLetters[n%len(userCodeLetters)]
			i++
		}
	}
	return string(code[:])
}

// NormalUserCode returns what a person typed as a user code is written: upper
// case, without what stands between the letters. It is empty for what cannot be
// one.
func NormalUserCode(typed string) string {
	code := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		if strings.ContainsRune(userCodeLetters, r) {
			return r
		}
		if strings.ContainsRune(" -_.\u00a0\u2013", r) {
			return -1
		}
		return '?'
	}, typed)
	if len(code) != userCodeLen || strings.ContainsRune(code, '?') {
		return ""
	}
	return code
}

func userCodeKey(code string) [32]byte { return sha256.Sum256([]byte("symbolon user code\x00" + code)) }

func deviceAnswerKey(id symbolon.ConnectionID) [32]byte {
	return sha256.Sum256(append([]byte("symbolon device answer\x00"), id[:]...))
}

// PendingDevice is a device that waits for a person's answer.
type PendingDevice struct {
	App   *symbolon.App
	Scope symbolon.Scopes
	// Details says in sentences what its authorization_details allow, APIs what the
	// tokens are for, when the device says it.
	Details, APIs []string
	// Label is what the person calls the connection, or empty; whoever answers sets it.
	Label string

	code symbolon.Code
}

// Device returns the device that shows a user code to the person in front of it.
// Who asks is signed in as account, at an address. The refusal is InvalidGrant
// for a code that is none, has expired or was answered, and TooManyRequests.
func (e *Engine) Device(ctx context.Context, typed string, account symbolon.AccountID, address string) (*PendingDevice, error) {
	now := e.clock.Now()
	none := refuse(InvalidGrant, "No device shows this code now; compare it with the one on the device, and if it is the same, start again there.")
	// Who has guessed too often learns nothing any more, not even of a code that is
	// right: otherwise the limit would only slow the reading of the answers (RFC
	// 8628 §5.1).
	tries := []guess{{address: network(address)}, {client: symbolon.ClientID(account)}}
	for _, who := range tries {
		if wait := e.tried.over(who, now); wait > 0 {
			return nil, tooManyCodes(wait)
		}
	}
	user := NormalUserCode(typed)
	var plain []byte
	if user != "" {
		value, first, err := e.store.Once(ctx, symbolon.Once{Key: userCodeKey(user), Now: now, Look: true})
		if err != nil {
			return nil, storeError(err)
		}
		if !first {
			plain = value
		}
	}
	if plain == nil {
		for _, who := range tries {
			e.tried.add(who, now)
		}
		return nil, none
	}
	d := new(PendingDevice)
	if err := d.code.UnmarshalBinary(plain); err != nil {
		return nil, storeError(err)
	}
	if _, waiting, err := e.store.Once(ctx, symbolon.Once{Key: deviceAnswerKey(d.code.Connection), Now: now, Look: true}); err != nil {
		return nil, storeError(err)
	} else if !waiting {
		return nil, none
	}
	var err error
	if d.App, err = e.App(ctx, d.code.Client); err != nil {
		return nil, err
	}
	d.Scope, d.Details, d.APIs = d.code.Scope, e.sentences(d.code.Details), e.called(d.code.Resource)
	return d, nil
}

func tooManyCodes(wait time.Duration) *Error {
	r := refuse(TooManyRequests, "Too many codes that no device shows were typed; wait, then try again.")
	r.RetryAfter = wait
	return r
}

// Answer records whether the person who is signed in lets the device connect to
// their account. The first answer counts; the refusal of a later one is
// InvalidGrant.
func (e *Engine) Answer(ctx context.Context, d *PendingDevice, who symbolon.SignedIn, allowed bool) error {
	now := e.clock.Now()
	ctx = context.WithoutCancel(ctx)
	record := symbolon.Once{Key: deviceAnswerKey(d.code.Connection), ExpiresAt: d.code.ExpiresAt.Add(time.Minute), Now: now}
	if allowed {
		if !d.App.Admits(who.Account.ID) {
			r := refuse(AccessDenied, "The app is in test, and this account is not one that its owner lets try it out.").from(d.App.ID)
			r.Testing = true
			return r
		}
		if err := e.allow(ctx, d.App, who.Account.ID, d.code.Scope, &d.code, now); err != nil {
			return err
		}
		// A connection that is not yet born, made at this moment: what was ended
		// before it, while the device waited, does not touch it.
		answer := d.code
		answer.Connection, answer.Account, answer.Name = symbolon.NewConnectionID(now), who.Account.ID, who.Account.Name
		answer.AuthAt, answer.IssuedAt = who.Session.AuthAt, now
		answer.Label = symbolon.CleanLabel(d.Label)
		e.signedInBy(&answer.Grant, &who.Session)
		if e.feed.Over(&answer.Grant) {
			// As in Authorize: what were made now would be dead.
			r := refuse(Unavailable, "All that the account allowed was ended in this moment; answer again shortly.").from(d.App.ID)
			r.RetryAfter = time.Second
			return r
		}
		plain, err := answer.AppendBinary(nil)
		if err != nil {
			return storeError(err)
		}
		record.Value = plain
	}
	switch _, first, err := e.store.Once(ctx, record); {
	case err != nil:
		return storeError(err).from(d.App.ID)
	case !first:
		return refuse(InvalidGrant, "The device was answered before, and the first answer counts.").from(d.App.ID)
	}
	return nil
}

// deviceToken trades a device code once the person has answered (RFC 8628 §3.4).
func (e *Engine) deviceToken(ctx context.Context, c *caller, req *TokenRequest) (*TokenResponse, error) {
	// 2. What is presented?
	if req.DeviceCode == "" {
		return nil, c.no(InvalidRequest, "The parameter device_code is missing.")
	}
	var code symbolon.Code
	if err := e.open(seal.DeviceCode, req.DeviceCode, &code, c.now); err != nil {
		return nil, c.no(InvalidGrant, notOurs(seal.DeviceCode, "device_code", req.DeviceCode)).detail(err.Error())
	}

	// 3. Is it allowed?
	if code.Client != c.app.ID {
		return nil, c.no(InvalidGrant, "The device_code was given to another app.")
	}
	tooFast := e.polls.tooFast(code.Connection, code.ExpiresAt, c.now)
	answer, waiting, err := e.store.Once(ctx, symbolon.Once{Key: deviceAnswerKey(code.Connection), Now: c.now, Look: true})
	switch {
	case err != nil:
		return nil, storeError(err).from(c.app.ID)
	case !c.now.Before(code.ExpiresAt):
		return nil, c.no(ExpiredToken, "The device_code has expired; begin again with a new one.")
	case waiting && tooFast:
		return nil, c.no(SlowDown, "The device asks more often than it was told to; wait five seconds longer from now on.")
	case waiting:
		return nil, c.no(AuthorizationPending, "The person has not answered yet; ask again after the interval.")
	case len(answer) == 0:
		return nil, c.no(AccessDenied, "The person did not allow the device to connect.")
	}
	if err := code.UnmarshalBinary(answer); err != nil {
		return nil, storeError(err).from(c.app.ID)
	}

	// 4. Spend, and 5. answer: the birth of a connection, as with any code.
	return e.born(ctx, c, &code, req, true)
}

// polls knows when each device may ask again (RFC 8628 §3.5). It is held in
// memory: what is lost with it is only who was too fast.
type polls struct {
	mu   sync.Mutex
	next map[symbolon.ConnectionID]*poll
}

type poll struct {
	at       time.Time // from when on the next request is not too early
	interval time.Duration
	until    time.Time // when the code expires
}

// maxPolls bounds the devices that are known.
const maxPolls = 10_000

func newPolls() *polls { return &polls{next: make(map[symbolon.ConnectionID]*poll)} }

// tooFast notes that a device asks, and reports whether it does so too early. Each
// time it does, it must wait five seconds longer.
func (p *polls) tooFast(id symbolon.ConnectionID, until, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.next[id]
	if known == nil {
		if len(p.next) >= maxPolls {
			for other, poll := range p.next {
				if !now.Before(poll.until) {
					delete(p.next, other)
				}
			}
			if len(p.next) >= maxPolls {
				clear(p.next)
			}
		}
		known = &poll{interval: pollInterval * time.Second, until: until}
		p.next[id] = known
	} else if now.Before(known.at) {
		known.interval += pollInterval * time.Second
		known.at = now.Add(known.interval)
		return true
	}
	known.at = now.Add(known.interval)
	return false
}
