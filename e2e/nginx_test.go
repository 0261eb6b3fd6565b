//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nginxConf is nginx in one process, with nothing outside its directory. %s is
// its address and the configuration of docs/protect-an-api.md.
const nginxConf = `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {
        listen %s;
        server_name api.test;
        %s
    }
}
`

// startNginx starts nginx with the configuration of the documentation, in front
// of an API, and returns its base URL.
func startNginx(t *testing.T, symbolon, api string) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatal("there is no nginx on this machine; “make setup” installs it")
	}
	host := func(base string) string { return strings.TrimPrefix(base, "http://") }
	conf := quoted(t, "protect-an-api.md", "nginx", map[string]string{"127.0.0.1:8080": host(symbolon), "127.0.0.1:9000": host(api)})[0]
	address := freePort(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, nginxConf, address, conf), 0o600))
	cmd := exec.Command(program, "-p", dir, "-e", "error.log", "-c", "nginx.conf")
	startFront(t, cmd, filepath.Join(dir, "error.log"), bare, "http://"+address)
	return "http://" + address
}

// The configuration of docs/protect-an-api.md, run by a real nginx in front of an
// API that says what reached it.
func TestNginx(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/api/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintf(w, "%s %s; subject %q; client %q; scope %q; authorization %q; underscores %q; body %q", r.Method, r.URL.Path, r.Header["X-Auth-Subject"],
			r.Header["X-Auth-Client"], r.Header["X-Auth-Scope"], r.Header["Authorization"], r.Header["X_auth_subject"], body)
	}))
	t.Cleanup(api.Close)
	base := startNginx(t, d.base, api.URL)
	a := d.newApp(t, d.greet.RedirectURIs[0])
	tk := a.connect(t, "scope", "connect other")
	call := func(method, path, body string, opts ...option) *reply {
		t.Helper()
		return send(t, bare, request(t, method, base+path, strings.NewReader(body), opts...))
	}
	through := func(r *reply, method, path, body string) {
		t.Helper()
		want := fmt.Sprintf(`%s %s; subject [%q]; client [%q]; scope ["connect other"]; authorization []; underscores []; body %q`, method, path, janeID, a.ID, body)
		if r.Status != 200 || string(r.Body) != want {
			t.Errorf("got %d %s\nwant 200 %s", r.Status, r.Body, want)
		}
	}

	// A good token: the API hears whose it is, from us and from nobody else.
	through(call("GET", "/api/orders", "", bearer(tk.access)), "GET", "/api/orders", "")
	through(call("POST", "/api/orders", "one", bearer(tk.access)), "POST", "/api/orders", "one")
	through(call("GET", "/api/orders", "", bearer(tk.access), header("X-Auth-Subject", "evil"), header("X-Auth-Client", "evil"), header("X-Auth-Scope", "admin"),
		func(r *http.Request) {
			r.Header["X_Auth_Subject"] = []string{"evil"}
			r.Header["x-auth-subject"] = []string{"evil"}
		}),
		"GET", "/api/orders", "")

	// RFC6750-3-a, RFC6750-3.1-a: what is refused does not reach the API, and the
	// challenge reaches the client, once.
	refusedBy := func(r *reply, status int, code, challenge string) {
		t.Helper()
		got := r.Header.Values("WWW-Authenticate")
		if r.Status != status || len(got) != 1 || !strings.HasPrefix(got[0], challenge) || r.text("error") != code || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %d %v %s, want %d, %s and %s", r.Status, r.Header, r.Body, status, challenge, code)
		}
	}
	refusedBy(call("GET", "/api/orders", ""), 401, "invalid_token", `Bearer realm="symbolon", scope="connect"`)
	refusedBy(call("GET", "/api/orders", "", header("X-Auth-Subject", janeID)), 401, "invalid_token", `Bearer realm="symbolon", scope="connect"`)
	refusedBy(call("GET", "/api/orders", "", bearer("sym_at_none")), 401, "invalid_token", `Bearer realm="symbolon", error="invalid_token"`)
	refusedBy(call("GET", "/api/orders", "", header("Authorization", "DPoP "+tk.access)), 401, "invalid_token", `DPoP realm="symbolon", error="invalid_token"`)
	narrow := a.connect(t, "scope", "other")
	refusedBy(call("GET", "/api/orders", "", bearer(narrow.access)), 403, "insufficient_scope", `Bearer realm="symbolon", error="insufficient_scope"`)

	// A token for another API is none for this one.
	other := a.connect(t, "resource", "https://other.test")
	refusedBy(call("GET", "/api/orders", "", bearer(other.access)), 401, "invalid_token", `Bearer realm="symbolon", error="invalid_token"`)

	// What only nginx may ask is nobody else's, and a failure of the API is its own.
	if r := call("GET", "/_symbolon", "", bearer(tk.access)); r.Status != 404 {
		t.Errorf("/_symbolon from outside: %d", r.Status)
	}
	if r := call("GET", "/api/broken", "", bearer(tk.access)); r.Status != 500 || !strings.HasPrefix(string(r.Body), "GET /api/broken") {
		t.Errorf("an API that fails: %d %s", r.Status, r.Body)
	}

	// Ended is ended at the next request.
	if r := d.get(t, "/invalidate", bearer(tk.access)); r.Status != 204 {
		t.Fatalf("/invalidate: %d %s", r.Status, r.Body)
	}
	refusedBy(call("GET", "/api/orders", "", bearer(tk.access)), 401, "invalid_token", `Bearer realm="symbolon", error="invalid_token"`)

	// The server away: 503 with Retry-After, since an app throws its token away at
	// 401.
	if status := d.stop(); status != 0 {
		t.Errorf("the demo ended with %d\n%s", status, d.logTail())
	}
	r := call("GET", "/api/orders", "", bearer(narrow.access))
	if r.Status != 503 || r.Header.Get("Retry-After") == "" || r.text("error") != "temporarily_unavailable" || r.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("without a server: %d %v %s", r.Status, r.Header, r.Body)
	}
}

// What nginx says of the request that it holds back, whatever the client wrote:
// by it a DPoP proof is checked.
func TestNginxSays(t *testing.T) {
	t.Parallel()
	heard := make(chan http.Header, 1)
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.RequestURI != "/forward-auth?scope=connect" || r.ContentLength > 0 {
			t.Errorf("asked by %s %s with %d bytes", r.Method, r.RequestURI, r.ContentLength)
		}
		heard <- r.Header
		w.Header().Set("DPoP-Nonce", "nonce")
		w.Header().Set("WWW-Authenticate", "DPoP")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(asked.Close)
	base := startNginx(t, asked.URL, "http://127.0.0.1:9")
	r := send(t, bare, request(t, "POST", base+"/api/orders?a=b", strings.NewReader("body"), func(r *http.Request) {
		r.Host = "evil.test"
		for _, name := range []string{"Method", "Proto", "Host", "Uri", "For"} {
			r.Header.Set("X-Forwarded-"+name, "evil")
		}
		r.Header.Set("DPoP", "proof")
		r.Header.Set("Authorization", "DPoP token")
	}))
	if r.Status != 401 || r.Header.Get("DPoP-Nonce") != "nonce" || r.Header.Get("WWW-Authenticate") != "DPoP" {
		t.Errorf("%d %v", r.Status, r.Header)
	}
	said := <-heard
	for name, want := range map[string]string{
		"X-Forwarded-Method": "POST", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "api.test", "X-Forwarded-Uri": "/api/orders?a=b",
		"X-Forwarded-For": "127.0.0.1", "Dpop": "proof", "Authorization": "DPoP token",
	} {
		if got := said.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
}
