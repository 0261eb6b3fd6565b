package oauth

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document):
// an app is known by the URL at which it says what it is.
//
// Nothing is fetched for a stranger. At the authorization endpoint the person
// signs in first; everywhere else, a document is fetched only of an app that
// someone has allowed, whose row is kept (docs/decisions/0018).

// documents holds documents that were read, until they are too old.
type documents struct {
	mu    sync.Mutex
	byURL map[string]document
}

// document is what came of reading one: the app, or why there is none.
type document struct {
	app   *symbolon.App // not to be changed
	err   *Error
	until time.Time
}

const (
	// maxDocuments bounds the documents that are held in memory.
	maxDocuments = 1000
	// invalidAge is how long a document that cannot be used is not read again.
	invalidAge = 30 * time.Second
	// maxDocument bounds a document, in bytes (§6.6 of the draft).
	maxDocument = 5 << 10
	// maxDocumentURL bounds the URL of a document, in bytes.
	maxDocumentURL = 500
)

func newDocuments() *documents { return &documents{byURL: make(map[string]document)} }

func (d *documents) find(url string, now time.Time) (document, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.byURL[url]
	return found, ok && now.Before(found.until)
}

func (d *documents) keep(url string, doc document) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.byURL[url]; !there && len(d.byURL) >= maxDocuments {
		for other := range d.byURL { // any one: maps are in no order
			delete(d.byURL, other)
			break
		}
	}
	d.byURL[url] = doc
}

// isDocumentURL reports whether a client_id is meant as the URL of a document. In
// the sandbox this very computer may serve it, by http too, for trying out.
func (e *Engine) isDocumentURL(id string) bool {
	if !e.cfg.ClientDocuments || e.cfg.Fetch == nil {
		return false
	}
	return strings.HasPrefix(id, "https://") || e.cfg.Sandbox && strings.HasPrefix(id, "http://")
}

// checkDocumentURL returns what is wrong with the URL of a document, or "" (§3 of
// the draft).
func (e *Engine) checkDocumentURL(id string) string {
	u, err := url.Parse(id)
	switch {
	case len(id) > maxDocumentURL:
		return "is longer than 500 bytes"
	case !printable(id) || err != nil || u.Opaque != "" || u.Hostname() == "":
		return "is malformed"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "is not https"
	case u.User != nil:
		return "names a user"
	case strings.Contains(id, "#"):
		return "has a fragment"
	case u.EscapedPath() == "" || u.EscapedPath() == "/":
		return "has no path"
	}
	// Two spellings of one document would be two apps, and one of them could be
	// made to look like another.
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "." || plain == ".." {
			return "has a dot segment in its path"
		}
	}
	if u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), ".") || strings.HasSuffix(u.Host, ":") {
		return "names its host in another spelling than the usual one"
	}
	return ""
}

// printable reports whether s has only characters that may stand in a URL.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte(`"<>\^`+"`{|}", c) >= 0 {
			return false
		}
	}
	return true
}

// documentApp returns the app whose client_id is the URL of a document. Unless a
// new one may be fetched, it knows only those in memory and those that are kept.
func (e *Engine) documentApp(ctx context.Context, id string, mayFetch bool) (*symbolon.App, error) {
	if why := e.checkDocumentURL(id); why != "" {
		return nil, refuse(InvalidDocument, "The client_id is the URL of a client ID metadata document, but it "+why+".")
	}
	now := e.clock.Now()
	row, err := e.apps.get(ctx, idOf(documentID, id))
	if err != nil {
		return nil, storeError(err)
	}
	doc, fresh := e.documents.find(id, now)
	if !fresh {
		switch {
		case row == nil && !mayFetch:
			return nil, refuse(UnknownClient, "No one has allowed the app whose document this client_id names; begin in the person's browser, at the authorization endpoint.")
		case row != nil && !mayFetch && row.Settings.Keys == "":
			return row, nil // nothing in the document matters before the next consent
		}
		doc = e.readDocument(ctx, id, now)
	}
	switch {
	case doc.err != nil && row != nil && !mayFetch:
		return row, nil
	case doc.err != nil:
		return nil, doc.err
	case row == nil:
		return doc.app, nil
	}
	return e.adopt(ctx, row, doc.app, now)
}

// readDocument fetches a document and keeps what came of it.
func (e *Engine) readDocument(ctx context.Context, id string, now time.Time) document {
	body, maxAge, err := e.cfg.Fetch(ctx, id)
	if err != nil {
		r := refuse(InvalidDocument, "The client ID metadata document at the client_id cannot be fetched: its server must answer 200 with application/json of at most 5 KB, from a public address and at once.")
		if symbolon.KindOf(err) == symbolon.Busy {
			r = refuse(TooManyRequests, "Too many client ID metadata documents are being fetched; try again shortly.")
			r.RetryAfter = 30 * time.Second
		}
		r.Err = err
		return document{err: r} // whoever fetches remembers failures
	}
	app, err := e.parseDocument(ctx, id, body, now)
	doc := document{app: app, until: now.Add(maxAge)}
	if err != nil {
		doc = document{err: storeError(err), until: now.Add(invalidAge)}
	}
	e.documents.keep(id, doc)
	return doc
}

// parseDocument reads a document (§4 of the draft).
func (e *Engine) parseDocument(ctx context.Context, id string, body []byte, now time.Time) (*symbolon.App, error) {
	unusable := func(why string) error {
		return refuse(InvalidDocument, "The client ID metadata document at the client_id cannot be used: "+why)
	}
	if len(body) > maxDocument {
		return nil, unusable("it is larger than 5 KB.")
	}
	object, err := readObject(body)
	if err != nil {
		return nil, unusable(detailOf(err) + ".")
	}
	r := &metadataReader{object: object}
	// §4.1: compared as strings.
	if r.text("client_id") != id {
		return nil, unusable("client_id must be the URL of the document itself, character by character.")
	}
	for _, name := range []string{"client_secret", "client_secret_expires_at"} {
		if _, there := object[name]; there {
			return nil, unusable(name + " must not be there: a document is for everyone to read.")
		}
	}
	m := r.readMetadata(e.cfg.Signing.Algorithms(now), e.cfg.IDToken != nil)
	switch {
	case r.why != "":
		return nil, unusable(r.why)
	case m.method == "":
		// The default of RFC 7591 §2 needs a secret, which there cannot be.
		m.method = symbolon.AuthNone
	case m.method != symbolon.AuthNone && m.method != symbolon.AuthKey:
		return nil, unusable("token_endpoint_auth_method must be none or private_key_jwt: there is no secret to share.")
	}
	why, err := e.readSectorURI(ctx, m, now)
	switch {
	case err != nil:
		return nil, err
	case why != "":
		return nil, unusable("sector_identifier_uri " + why)
	}
	if m.name == "" {
		if u, err := url.Parse(id); err == nil {
			m.name = appName(u.Host)
		}
	}
	app := m.app(&e.cfg, idOf(documentID, id), id, milliseconds(now))
	if len(app.Scope) == 0 {
		return nil, unusable("scope names none that this server offers to apps that register themselves.")
	}
	app.Settings.Registration.Document = true
	app.Settings.Registration.Digest = digest(&app)
	return &app, nil
}

// adopt takes over what the document says now into the row. What was allowed
// before a change is asked again.
func (e *Engine) adopt(ctx context.Context, row, said *symbolon.App, now time.Time) (*symbolon.App, error) {
	same := bytes.Equal(row.Settings.Registration.Digest, said.Settings.Registration.Digest)
	if same && slices.Equal(row.Scope, said.Scope) {
		return row, nil
	}
	next := *said
	next.CreatedAt, next.NotBefore, next.Version, next.Rotation = row.CreatedAt, row.NotBefore, row.Version, row.Rotation
	// What only the owner decides stays.
	next.RequirePKCE, next.Settings.Profile = row.RequirePKCE, row.Settings.Profile
	next.Settings.Resources, next.Settings.Token = row.Settings.Resources, row.Settings.Token
	next.Settings.OneConnection, next.Settings.Webhook = row.Settings.OneConnection, row.Settings.Webhook
	registration := *said.Settings.Registration
	registration.ChangedAt = row.Settings.Registration.ChangedAt
	if !same {
		registration.ChangedAt = milliseconds(now)
	}
	next.Settings.Registration = &registration
	if err := e.store.PutApp(context.WithoutCancel(ctx), next); err != nil {
		if symbolon.KindOf(err) != symbolon.Conflict {
			return nil, storeError(err)
		}
		r := refuse(Unavailable, "The app's document changed in this moment; send the same request again.")
		r.RetryAfter, r.Err = time.Second, err
		e.forget(row.ID)
		return nil, r
	}
	e.forget(row.ID)
	next.Version++
	return &next, nil
}

// stranger returns what is known of an app whose document is not fetched yet,
// since no one is signed in: the host of its URL. It is nil when the document may
// be fetched or need not be.
func (e *Engine) stranger(ctx context.Context, req *AuthorizeRequest, who *Actor) (*symbolon.App, error) {
	if app, err := e.unfetched(ctx, req, who); app != nil || err != nil {
		return app, err
	}
	if !who.Interactive || req.silent() || e.mayFetch(who) || !e.isDocumentURL(req.ClientID) || req.faults["client_id"] != "" {
		return nil, nil
	}
	if e.checkDocumentURL(req.ClientID) != "" {
		return nil, nil // which is said at once
	}
	id := idOf(documentID, req.ClientID)
	row, err := e.apps.get(ctx, id)
	if err != nil {
		return nil, storeError(err)
	}
	if _, fresh := e.documents.find(req.ClientID, e.clock.Now()); row != nil || fresh {
		return nil, nil
	}
	if len(req.Query()) > maxQuery {
		return nil, tooLongToCarry().from(id)
	}
	u, err := url.Parse(req.ClientID)
	switch {
	case err != nil:
		return nil, nil
	case who.Denied:
		// Where the app wants to be told is in its document, which was not read.
		return nil, refuse(AccessDenied, "The person did not sign in.").from(id)
	}
	return &symbolon.App{ID: id, Name: u.Host, Settings: symbolon.Settings{Registration: &symbolon.Registration{ClientID: req.ClientID, Document: true}}}, nil
}

// mayFetch reports whether a document may be fetched for whoever makes an
// authorization request: a person who is signed in, or, in the sandbox, an API
// caller that no one needs to be signed in for.
func (e *Engine) mayFetch(who *Actor) bool {
	return len(who.SignedIn) > 0 || e.cfg.Sandbox && !who.Interactive
}
