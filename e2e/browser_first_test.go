//go:build linux

package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// testFirstConnection walks docs/first-connection.md: from the running demo to a token
// in an app of the newcomer's own. The page promises how many clicks that takes.
func testFirstConnection(t *testing.T, b *chromium) {
	binary := filepath.Join(t.TempDir(), "first-app")
	if out, err := exec.Command("go", "build", "-o", binary, "../docs/first-app").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listen := freePort(t)
	app := "http://" + listen
	began, clicks := time.Now(), 0
	var apps []*exec.Cmd
	// Registered before the window's, so run after it: a page whose server is gone
	// has errors.
	t.Cleanup(func() {
		for _, app := range apps {
			app.Process.Kill()
			_ = app.Wait()
		}
	})
	p := b.window(t)
	p.mayVisit(app)
	press := func(text string) {
		t.Helper()
		clicks++
		p.press(text)
	}
	p.visit(b.s.base + "/console")
	press("Jane Doe")
	press("Register an app")
	press("Something else")
	p.fill("name", "My first app")
	p.fill("redirect_uris", app+"/callback")
	press("Register")
	id := tabEval[string](p, `document.querySelectorAll('.copies dd')[0].innerText.trim()`)
	plain := tabEval[string](p, `document.querySelectorAll('.copies dd')[1].innerText.trim()`)
	secret(kindSecret, plain)
	press("I have kept it")

	cmd := exec.Command(binary, "-symbolon", b.s.base, "-listen", listen, "-id", id, "-secret", plain)
	cmd.Env = environ()
	must(t, cmd.Start())
	apps = append(apps, cmd)
	answersAt(t, listen)
	p.visit(app)
	p.at("Allow My first app to use your account?")
	press("Allow")
	p.reads("Connected to the account of:", "Jane Doe")
	if clicks > 12 || time.Since(began) > 5*time.Minute {
		t.Errorf("%d clicks in %v", clicks, time.Since(began))
	}
	t.Logf("%d clicks", clicks)

	// What is in the way of most: a wrong secret leads to its cause.
	other := freePort(t) // the port of a loopback address may differ (RFC 8252 §7.3)
	wrong := exec.Command(binary, "-symbolon", b.s.base, "-listen", other, "-id", id, "-secret", "sym_secret_wrong")
	wrong.Env = environ()
	must(t, wrong.Start())
	apps = append(apps, wrong)
	answersAt(t, other)
	p.mayVisit("http://" + other)
	p.visit("http://" + other)
	p.reads("No token: invalid_client", "/console/request?id=")
}

// answersAt waits until something listens at an address.
func answersAt(t *testing.T, address string) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		} else if time.Now().After(until) {
			t.Fatal(err)
		}
	}
}
