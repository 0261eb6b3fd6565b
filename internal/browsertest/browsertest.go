// Package browsertest starts the Chromium in which tests look at pages.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"
)

// Start starts a headless Chromium that calls nobody on its own. It returns the context
// by which chromedp speaks to it, until ctx ends or the function returned is called,
// which waits for its end and says what was wrong with it.
func Start(ctx context.Context, more ...chromedp.ExecAllocatorOption) (context.Context, func() error, error) {
	path, err := program()
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(60*time.Second),
	)
	alloc, free := chromedp.NewExecAllocator(ctx, append(options, more...)...)
	started, cancel := chromedp.NewContext(alloc)
	stop := func() error {
		deadline, done := context.WithTimeout(started, 20*time.Second)
		defer done()
		err := chromedp.Cancel(deadline)
		cancel()
		free()
		return err
	}
	if err := chromedp.Do(started); err != nil { // a deadline here would end it
		return nil, nil, errors.Join(fmt.Errorf("start %s: %w", path, err), stop())
	}
	return started, stop, nil
}

// program finds the browser. Debian's headless shell is Chromium without the windows of
// its own that nobody sees, and takes half the time. Where time does not matter, it is
// the one that people have.
func program() (string, error) {
	names := []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}
	if os.Getenv("SYMBOLON_LONG") != "" {
		names = names[1:]
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium on this machine; “make setup” installs it")
}
