package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/fetch"
	"github.com/symbolon/symbolon/outbox"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// site is an app with a webhook, and the server that hears of it.
type site struct {
	*testing.T
	store  *storetest.Memory
	ring   *seal.Ring
	teller *Teller
	app    symbolon.App
	jane   symbolon.Account
	secret string

	mu     sync.Mutex
	heard  []heard
	status int
}

type heard struct {
	header http.Header
	body   string
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, store: storetest.NewMemory(), status: 204}
	root, err := seal.NewRootKey()
	s.ok(err)
	key, err := root.NewKey()
	s.ok(err)
	s.ring, err = seal.NewRing([]*seal.RootKey{root}, []symbolon.Key{key})
	s.ok(err)
	s.teller = &Teller{Ring: s.ring, Store: s.store, Clock: realClock{}, Subject: func(app *symbolon.App, a symbolon.AccountID) string {
		return string(app.ID) + " knows " + string(a)
	}}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, heard{r.Header.Clone(), string(b)})
		w.WriteHeader(s.status)
	}))
	t.Cleanup(receiver.Close)
	s.app = symbolon.App{ID: "sym_app_hooked", Scope: symbolon.Scopes{"connect"}, CreatedAt: time.Now().Add(-time.Hour)}
	s.app.Settings.Webhook = &symbolon.Webhook{URL: receiver.URL + "/in", Events: symbolon.EventKinds()}
	s.rotate()
	s.jane = symbolon.Account{ID: symbolon.NewAccountID(), Username: "jane", CreatedAt: time.Now().Add(-time.Hour)}
	s.ok(s.store.PutAccount(t.Context(), s.jane))
	return s
}

func (s *site) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// rotate gives the webhook a secret.
func (s *site) rotate() {
	s.Helper()
	var err error
	s.secret, err = NewSecret(s.ring, &s.app, time.Now())
	s.ok(err)
	s.ok(s.store.PutApp(s.Context(), s.app))
	s.app.Version++
}

// connect makes a connection, of which the webhook is told.
func (s *site) connect() symbolon.ConnectionID {
	s.Helper()
	now := time.Now()
	id := symbolon.NewConnectionID(now)
	out, err := s.store.Connect(s.Context(), symbolon.Connect{Connection: symbolon.Connection{
		ID: id, Account: s.jane.ID, Client: s.app.ID, Scope: symbolon.Scopes{"connect"}, Label: `<b>"shop"`, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}, CodeIssuedAt: now, Sandbox: true, Tell: true, From: netip.MustParseAddr("192.0.2.1"), Now: now})
	s.ok(err)
	if out != symbolon.Connected {
		s.Fatal(out)
	}
	return id
}

// deliver tells what there is to tell, and returns what came of it.
func (s *site) deliver(options fetch.Options) []outbox.Outcome {
	s.Helper()
	options.Clock = realClock{}
	client := fetch.New(options)
	var mu sync.Mutex
	var came []outbox.Outcome
	done := make(chan struct{})
	want, _ := s.waiting()
	d := outbox.New(outbox.Options{
		Outbox: s.store, Clock: realClock{}, Log: slog.New(slog.DiscardHandler),
		Make: map[symbolon.DeliveryKind]func(context.Context, *symbolon.Delivery) (*outbox.Message, error){
			symbolon.TellEvent: func(ctx context.Context, d *symbolon.Delivery) (*outbox.Message, error) {
				m, err := s.teller.Message(ctx, d)
				if err != nil || m == nil {
					return nil, err
				}
				return &outbox.Message{URL: m.URL, Type: "application/json", Body: m.Body, Header: m.Header}, nil
			},
		},
		Post: func(ctx context.Context, m *outbox.Message) (int, error) {
			return client.Post(ctx, m.URL, m.Type, m.Body, m.Header)
		},
		Came: func(o outbox.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			if came = append(came, o); len(came) == want {
				close(done)
			}
		},
	})
	ctx, stop := context.WithCancel(s.Context())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		s.Error("not everything was tried")
	}
	stop()
	running.Wait()
	return came
}

// waiting counts what is due, without keeping it from anyone for long.
func (s *site) waiting() (int, []symbolon.Delivery) {
	s.Helper()
	got, err := s.store.Claim(s.Context(), symbolon.Claim{Limit: 99, PerApp: 99, Lease: time.Millisecond, Now: time.Now()})
	s.ok(err)
	time.Sleep(2 * time.Millisecond)
	return len(got.Due), got.Due
}

// verify checks a message as a receiver does, by the words of the standard.
func verify(t *testing.T, h heard, secret string) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) != 32 || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("the secret is %q", secret)
	}
	at, err := strconv.ParseInt(h.header.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		t.Fatalf("timestamp %q", h.header.Get("Webhook-Timestamp"))
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, h.header.Get("Webhook-Id")+"."+h.header.Get("Webhook-Timestamp")+"."+h.body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for one := range strings.SplitSeq(h.header.Get("Webhook-Signature"), " ") {
		if hmac.Equal([]byte(one), []byte(want)) {
			return true
		}
	}
	return false
}

// The example of the specification's reference libraries.
func TestSignature(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDelivered(t *testing.T) {
	s := newSite(t)
	id := s.connect()
	if came := s.deliver(fetch.Options{Loopback: true}); len(came) != 1 || came[0] != outbox.Delivered {
		t.Fatalf("%v", came)
	}
	h := s.heard[0]
	if !verify(t, h, s.secret) || verify(t, heard{h.header, h.body + " "}, s.secret) {
		t.Errorf("the signature does not hold: %v", h)
	}
	if h.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", h.header)
	}
	var b struct {
		Type      string
		Timestamp time.Time
		Data      map[string]any
	}
	s.ok(json.Unmarshal([]byte(h.body), &b))
	if b.Type != "connection.connected" || time.Since(b.Timestamp).Abs() > time.Minute ||
		b.Data["connection"] != id.String() || b.Data["client_id"] != "sym_app_hooked" || b.Data["label"] != `<b>"shop"` ||
		b.Data["scope"] != "connect" || b.Data["used_from"] != "192.0.2.1" || b.Data["account"] != "sym_app_hooked knows "+string(s.jane.ID) || b.Data["expires_at"] == nil {
		t.Errorf("%s", h.body)
	}
}

func TestASecretIsRotatedWithOverlap(t *testing.T) {
	s := newSite(t)
	old := s.secret
	s.rotate()
	s.connect()
	s.deliver(fetch.Options{Loopback: true})
	if !verify(t, s.heard[0], old) || !verify(t, s.heard[0], s.secret) || old == s.secret {
		t.Errorf("%v", s.heard[0].header)
	}
	s.app.Settings.Webhook.PreviousUntil = time.Now().Add(-time.Second)
	s.ok(s.store.PutApp(t.Context(), s.app))
	s.connect()
	s.deliver(fetch.Options{Loopback: true})
	if verify(t, s.heard[1], old) || !verify(t, s.heard[1], s.secret) {
		t.Error("the old secret signs for ever")
	}
	// That of another app is none of this one's.
	other := s.app
	other.ID = "sym_app_other"
	if _, err := s.teller.signed(&other, "id", nil); err == nil {
		t.Error("a secret that was copied from another app signs")
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	for status, want := range map[int]outbox.Outcome{
		200: outbox.Delivered, 204: outbox.Delivered, 302: outbox.Retried, 400: outbox.Retried, 404: outbox.Retried, 410: outbox.Refused, 500: outbox.Retried,
	} {
		s := newSite(t)
		s.status = status
		s.connect()
		if came := s.deliver(fetch.Options{Loopback: true}); len(came) != 1 || came[0] != want {
			t.Errorf("%d: %v, want %v", status, came, want)
		}
	}
}

// SSRF: whoever owns an app has this server send nowhere but to public addresses.
func TestNothingIsSentToPrivateAddresses(t *testing.T) {
	s := newSite(t) // listens on 127.0.0.1
	for _, address := range []string{
		s.app.Settings.Webhook.URL, "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data", "https://10.0.0.1/",
		"https://localhost/", "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/",
	} {
		s.app.Settings.Webhook.URL = address
		s.ok(s.store.PutApp(t.Context(), s.app))
		s.app.Version++
		client := fetch.New(fetch.Options{Clock: realClock{}})
		s.connect()
		_, due := s.waiting()
		m, err := s.teller.Message(t.Context(), &due[0])
		s.ok(err)
		if _, err := client.Post(t.Context(), m.URL, "application/json", m.Body, m.Header); err == nil || symbolon.KindOf(err) != symbolon.Denied {
			t.Errorf("%s: %v", address, err)
		}
		s.ok(s.store.Told(t.Context(), due[0], time.Time{}))
	}
	if len(s.heard) != 0 {
		t.Error("something came")
	}
}

func TestWhatIsNotTold(t *testing.T) {
	s := newSite(t)
	ctx, now := t.Context(), time.Now()
	id := s.connect()
	silent := func(what string, d symbolon.Delivery) {
		t.Helper()
		if m, err := s.teller.Message(ctx, &d); m != nil || err != nil {
			t.Errorf("%s: %v, %v", what, m, err)
		}
	}
	told := func(what string, d symbolon.Delivery) {
		t.Helper()
		if m, err := s.teller.Message(ctx, &d); m == nil || err != nil {
			t.Errorf("%s: %v, %v", what, m, err)
		}
	}
	warning := symbolon.NewEvent(s.app.ID, s.jane.ID, symbolon.Event{Type: symbolon.EventExpiring, Connection: id}, now)
	told("a warning", warning)
	later := now.Add(time.Minute)
	_, err := s.store.Refresh(ctx, symbolon.Refresh{ID: id, Rotation: symbolon.RotateAlways, Grace: -1, ExpiresAt: later.Add(time.Hour), Now: later})
	s.ok(err)
	silent("a warning of what was refreshed meanwhile", warning)
	ended := symbolon.NewEvent(s.app.ID, s.jane.ID, symbolon.Event{Type: symbolon.EventEnded, Connection: id}, now)
	told("an end", ended)
	broken := ended
	broken.Body = []byte("{")
	silent("what cannot be read", broken)
	gone := ended
	gone.Client = "sym_app_gone"
	silent("an app that is gone", gone)
	s.app.Settings.Webhook.Events = []symbolon.EventKind{symbolon.EventConnected}
	s.ok(s.store.PutApp(ctx, s.app))
	s.app.Version++
	silent("what the owner does not want any more", ended)
	s.app.Settings.Webhook = nil
	s.ok(s.store.PutApp(ctx, s.app))
	silent("an app without a webhook", ended)
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]bool{
		"https://app.example/hooks?x=1": true, "https://app.example:8443/": true, "http://app.example/": false, "https://": false, "": false,
		"https://user:pass@app.example/": false, "https://app.example/#f": false, "https://app.example:/": false, "ftp://app.example/": false,
		"javascript:alert(1)": false, "https://app.example/\r\nx: y": false, "https://app.example/ä": false, "//app.example": false,
	} {
		if err := CheckURL(text, false); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	if CheckURL("http://127.0.0.1:9/", true) != nil || CheckURL("ftp://127.0.0.1:9/", true) == nil {
		t.Error("in a sandbox, http is taken, and nothing else")
	}
}

func TestKinds(t *testing.T) {
	kinds, err := ParseKinds([]string{"ended", "connection.replayed", "ended"})
	if err != nil || len(kinds) != 2 || kinds[0] != symbolon.EventEnded || kinds[1] != symbolon.EventReplayed {
		t.Errorf("%v, %v", kinds, err)
	}
	for _, bad := range []string{"", "x", "connection.", "connection.connection.ended"} {
		if _, err := ParseKinds([]string{bad}); symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%q is taken", bad)
		}
	}
}
