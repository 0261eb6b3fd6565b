//go:build linux

package e2e

import (
	"net/url"
	"strings"
	"testing"
)

const (
	atDevice     = "Connect a device"
	atDeviceDone = "The device is connected"
	atDeviceNot  = "Nothing was connected"
)

// device begins the device grant and returns what the device shows.
func (b *chromium) device(t *testing.T, a *app, pairs ...string) *reply {
	t.Helper()
	r := b.s.post(t, "/oauth2/device_authorization", with(url.Values{"client_id": {a.ID}, "scope": {"connect"}}, pairs...))
	if r.Status != 200 {
		t.Fatalf("device authorization: %d %s", r.Status, r.Body)
	}
	secret(kindPassing, r.text("device_code"))
	return r
}

func (b *chromium) poll(t *testing.T, a *app, device *reply) *reply {
	t.Helper()
	v := with(a.credentials(), "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", device.text("device_code"))
	return b.s.post(t, "/oauth2/token", v)
}

// RFC8628-3.3, RFC8628-5.4-a, RFC8628-6.1-a: a person connects a device, and looks
// at each page on the way.
func testDevice(t *testing.T, b *chromium) {
	a := b.s.newApp(t, "https://tv.example/cb", "--name", "Sofa TV")
	device := b.device(t, a)
	p := b.window(t)
	p.visit(b.s.base + "/device")
	p.at(atSignIn)
	p.press("Jane Doe")
	p.at(atDevice)
	p.looksRight("device")
	p.fill("user_code", "BCDF")
	p.press("Continue")
	p.at(atDevice)
	p.reads("No device shows this code now.")
	if p.answer.Status != 400 {
		t.Errorf("a wrong code: %d", p.answer.Status)
	}
	p.looksRight("device-refused")
	// As a person types it: small letters, no dash.
	p.fill("user_code", strings.ToLower(strings.ReplaceAll(device.text("user_code"), "-", " ")))
	p.press("Continue")
	p.at(atConsent)
	p.reads("Sofa TV", device.text("user_code"), "only if you have just started this yourself", "Jane Doe")
	p.looksRight("device-consent")
	refused(t, b.poll(t, a, device), 400, "authorization_pending")
	p.press("Allow")
	p.at(atDeviceDone)
	p.reads("Sofa TV goes on by itself")
	p.looksRight("device-done")
	tk := granted(t, b.poll(t, a, device)) // early, and all the same
	if r := b.s.info(t, tk.access); r.text("user") != "Jane Doe" {
		t.Errorf("GET /info: %d %s", r.Status, r.Body)
	}
	refused(t, b.poll(t, a, device), 400, "invalid_grant")
	granted(t, a.refresh(t, tk.refresh)) // the second poll ended nothing

	// RFC8628-3.2-b: the address that has the code still asks to compare it.
	device = b.device(t, a)
	p.visit(device.text("verification_uri_complete"))
	p.at(atDevice)
	p.reads("Compare the code")
	p.looksRight("device-compare")
	p.press("Continue")
	p.at(atConsent)
	p.press("Not you? Use another account")
	p.at(atSignIn)
	p.press("John Doe")
	p.at(atConsent)
	p.reads("John Doe")
	p.press("Deny")
	p.at(atDeviceNot)
	p.looksRight("device-denied")
	refused(t, b.poll(t, a, device), 400, "access_denied")
}

// A page for a device is as well guarded as any: it belongs to one browser, and
// what it shows is what is answered.
func testDeviceForms(t *testing.T, b *chromium) {
	a := b.s.newApp(t, "https://tv.example/cb", "--name", "Sofa TV")
	device := b.device(t, a)
	victim := b.s.newPerson(t, newClient())
	victim.open(t, "/device")
	victim.submit(t, "/sign-in", "sandbox", b.s.greet.Accounts[0].ID)
	victim.submit(t, "/device", "user_code", device.text("user_code"))
	form := victim.form(t, "/consent")
	other := b.s.newPerson(t, newClient())
	other.open(t, "/device")
	other.page = victim.page
	if r := other.submit(t, "/consent", "action", "allow"); r.Status != 403 {
		t.Errorf("another browser answers: %d", r.Status)
	}
	foreign := victim.postForm(t, "/consent", with(form.fields, "action", "allow"), header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.test"))
	if foreign.Status != 403 {
		t.Errorf("another site answers: %d", foreign.Status)
	}
	refused(t, b.poll(t, a, device), 400, "authorization_pending")
}

// authorization_details are shown in words, escaped, and asked each time.
func testDetails(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--home", "https://weathermill.example")
	p := b.window(t)
	p.mayVisit(a.URL)
	details := `[{"type":"payment","amount":{"value":"123.50","currency":"EUR"},"creditor":"<b>Merchant</b> A"}]`
	for range 2 {
		p.visit(strings.Replace(a.link("authorization_details", details), "/authorize?", "/oauth2/authorize?", 1))
		if p.heading() == atSignIn {
			p.press("Jane Doe")
		}
		p.at(atConsent)
		p.reads("Pay 123.50 EUR to <b>Merchant</b> A")
		p.looksRight("consent-details")
		p.press("Allow")
		p.at(atApp)
	}
}
