//go:build linux

package e2e

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/symbolon/symbolon/internal/browsertest"
)

// browserTests walk the pages as a person does, in Chromium. Each has a window
// of its own, with its own cookies, and its own apps.
var browserTests = []struct {
	name string
	run  func(*testing.T, *chromium)
}{
	{"password", testPassword},
	{"password typed on a phone", testPasswordTypedOnAPhone},
	{"wrong password", testWrongPassword},
	{"sandbox buttons", testSandboxButtons},
	{"cancel", testCancel},
	{"planted cookie", testPlantedCookie},
	{"cookie attributes", testCookieAttributes},
	{"sign out", testSignOut},
	{"choose", testChoose},
	{"scripts off", testScriptsOff},
	{"deny", testDeny},
	{"remembered", testRemembered},
	{"public app is asked each time", testPublicAppIsAskedEachTime},
	{"growth", testGrowth},
	{"double click", testDoubleClick},
	{"two tabs", testTwoTabs},
	{"accounts swapped between tabs", testAccountsSwappedBetweenTabs},
	{"signed out in another tab", testSignedOutInAnotherTab},
	{"back", testBack},
	{"back over a wrong password", testBackOverAWrongPassword},
	{"back to the choice", testBackToTheChoice},
	{"ways back", testWaysBack},
	{"every form leads back", testEveryFormLeadsBack},
	{"two browsers", testTwoBrowsers},
	{"forged forms", testForgedForms},
	{"tampered form", testTamperedForm},
	{"framing", testFraming},
	{"markup is text", testMarkupIsText},
	{"mismatch page", testMismatchPage},
	{"error pages", testErrorPages},
	{"broken flow", testBrokenFlow},
	{"errors go to the app", testErrorsGoToTheApp},
	{"keyboard", testKeyboard},
	{"nothing is allowed by habit", testNothingIsAllowedByHabit},
	{"playground", testPlayground},
	{"playground by keyboard", testPlaygroundByKeyboard},
	{"playground refusals", testPlaygroundRefusals},
	{"looks of the playground", testLooksOfThePlayground},
	{"looks of signing in", testLooksOfSigningIn},
	{"looks of consent", testLooksOfConsent},
	{"looks of refusals", testLooksOfRefusals},
	{"looks of documents", testLooksOfDocuments},
	{"form post", testFormPost},
	{"looks of form post", testLooksOfFormPost},
	{"codes", testCodes},
	{"step-up", testStepUp},
	{"logout", testLogout},
	{"looks of logout", testLooksOfLogout},
	{"device", testDevice},
	{"forms for a device", testDeviceForms},
	{"details", testDetails},
	{"single-page app", testSinglePageApp},
	{"Apache", testApache},
	{"Apache with a key", testApacheWithAKey},
	{"console", testConsole},
	{"my connections", testMyConnections},
	{"reset", testReset},
	{"first_connection", testFirstConnection},
}

// TestBrowser runs browserTests in one Chromium against one demo.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	b := startChromium(t)
	b.s = startDemo(t, newDir())
	for _, c := range browserTests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, b)
		})
	}
}

// chromium is the browser of all browserTests, and the demo that they visit.
type chromium struct {
	ctx context.Context
	s   *server
}

// startChromium starts a headless Chromium that calls nobody on its own.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	ctx, stop, err := browsertest.Start(context.Background(),
		chromedp.UserDataDir(t.TempDir()),
		// Without pages kept in memory, going back asks the server again: the
		// harder case, and what other browsers do with pages like ours. A page
		// that was kept is a page in another tab (see testTwoTabs).
		chromedp.Flag("disable-features", "Translate,BackForwardCache"),
		// A person is asked before a form is sent again; so are we.
		chromedp.Flag("disable-prompt-on-repost", false),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Logf("stop Chromium: %v", err)
		}
	})
	return &chromium{ctx: ctx}
}
