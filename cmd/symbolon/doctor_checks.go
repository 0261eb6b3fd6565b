package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// checkDir looks at the data directory and at who may read what is in it. It
// reports whether there is a database to look at.
func (c *doctorCmd) checkDir(d *diagnosis) bool {
	dir, err := os.Stat(c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.add("data", broken, "name it with --data; “symbolon serve” makes a new one", "there is no directory %s", c.Data)
		return false
	case err != nil:
		d.fault("data", broken, err)
		return false
	case !dir.IsDir():
		d.add("data", broken, "name the directory with --data", "%s is not a directory", c.Data)
		return false
	}
	sound := true
	if open := dir.Mode().Perm() & 0o077; open != 0 {
		sound = false
		d.add("data", warning, "chmod 700 "+c.Data, "%s may be entered by others than its owner (mode %04o)", c.Data, dir.Mode().Perm())
	}
	for _, name := range []string{databaseName, databaseName + "-wal", databaseName + "-shm", trailName, trailName + "-wal", trailName + "-shm", rootKeyName, sandboxName, markName, lockName, configName} {
		path := filepath.Join(c.Data, name)
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if owner(info) != owner(dir) {
			sound = false
			d.add("data", warning, "chown it to the user that runs the server", "%s belongs to another user than %s does", path, c.Data)
		}
		if name == configName && info.Mode().Perm()&0o022 == 0 {
			continue
		}
		if info.Mode().Perm()&0o077 != 0 {
			sound = false
			d.add("data", warning, "chmod 600 "+path, "%s is open to others than its owner (mode %04o)", path, info.Mode().Perm())
		}
	}
	if err := c.needDatabase(); err != nil {
		d.fault("data", broken, err)
		return false
	}
	if sound {
		d.add("data", fine, "", "%s is there, for its owner only", c.Data)
	}
	return true
}

// owner returns the user to whom a file belongs.
func owner(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return 0
}

// Least free space, in bytes: below the first there is a warning, below the
// second the server may stop at any moment.
const (
	lowSpace   = 500 << 20
	leastSpace = 50 << 20
)

func (c *doctorCmd) checkDisk(d *diagnosis) {
	var st unix.Statfs_t
	if err := unix.Statfs(c.Data, &st); err != nil {
		d.fault("disk", broken, err)
		return
	}
	free := st.Bavail * uint64(st.Bsize)
	status, mend := fine, ""
	switch {
	case free < leastSpace, st.Files > 0 && st.Ffree == 0:
		status, mend = broken, "make room: without it nothing can be stored, and the server answers 503"
	case free < lowSpace:
		status, mend = warning, "make room soon"
	}
	d.add("disk", status, mend, "%d MB are free at %s", free>>20, c.Data)
}

// checkTLS looks at the certificate.
func (c *doctorCmd) checkTLS(d *diagnosis, now time.Time) {
	if c.TLSCert == "" || c.TLSKey == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		d.add("tls", broken, "tls_cert is the PEM file of the chain, tls_key that of its key, and the server's user must be able to read both", "the certificate cannot be used: %s", err)
		return
	}
	left := pair.Leaf.NotAfter.Sub(now)
	const day = 24 * time.Hour
	switch {
	case left <= 0:
		d.add("tls", broken, "renew it; the server takes the new files up by itself", "the certificate expired on %s", when(pair.Leaf.NotAfter))
	case now.Before(pair.Leaf.NotBefore):
		d.add("tls", broken, "look at the clock, or wait", "the certificate is not valid before %s", when(pair.Leaf.NotBefore))
	case left < 14*day:
		d.add("tls", warning, "renew it; the server takes the new files up by itself", "the certificate expires on %s", when(pair.Leaf.NotAfter))
	default:
		d.add("tls", fine, "", "the certificate is good until %s", when(pair.Leaf.NotAfter))
	}
	checkTLSName(d, pair.Leaf, c.BaseURL)
}

func checkTLSName(d *diagnosis, leaf *x509.Certificate, base string) {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return // the settings' check tells of it
	}
	if err := leaf.VerifyHostname(u.Hostname()); err != nil {
		d.add("tls", broken, "get a certificate for "+u.Hostname(), "the certificate is not for the base URL's host: %s", oneLine(err.Error()))
	}
}

// checkApps looks for apps that cannot work, or not as someone meant.
func (c *doctorCmd) checkApps(sh *shell, d *diagnosis, at *desk, sandbox bool) {
	apps, err := at.apps(sh)
	if err != nil {
		d.fault("apps", broken, err)
		return
	}
	service := at.service()
	for name, sentence := range c.Scopes {
		service.Scopes = append(service.Scopes, symbolon.Scope{Name: name, Description: sentence})
	}
	if sandbox {
		service.Scopes = append(service.Scopes, sandboxScopes...)
	}
	said, err := service.Said(sh.ctx)
	if err != nil {
		d.fault("apps", broken, err)
		return
	}
	sound := true
	for _, app := range apps {
		name := fmt.Sprintf("the app %s (%s)", app.ID, printable(app.Name))
		find := func(mend, format string, args ...any) {
			sound = false
			d.add("apps", warning, mend, "%s %s", name, fmt.Sprintf(format, args...))
		}
		if len(app.RedirectURIs) == 0 && app.MayUse(symbolon.GrantCode) {
			find(fmt.Sprintf("symbolon app edit %s --add-redirect-uri URI", app.ID), "has no redirect URI, so no one can connect it")
		}
		if admin.HasSecret(&app) && len(app.Secrets) == 0 {
			find(fmt.Sprintf("symbolon app rotate-secret %s", app.ID), "has no secret, so it cannot redeem a code")
		}
		if err := admin.CheckAppSettings(&app); err != nil {
			find(hintFor(err), "cannot work: %s", err)
		}
		if len(app.Secrets) > 1 && !sandbox {
			find(fmt.Sprintf("symbolon app retire-secret %s ID", app.ID), "has %d live secrets; retire what it no longer uses", len(app.Secrets))
		}
		if !app.Scope.Has(symbolon.ScopeConnect) {
			find(fmt.Sprintf("symbolon app edit %s --scope \"connect %s\"", app.ID, app.Scope), "may not ask for the scope connect, which every endpoint needs")
		}
		for _, scope := range app.Scope {
			if !admin.Explained(said, scope) {
				find(fmt.Sprintf("symbolon scope set %q \"…\"", scope), "may ask for the scope %s, of which the consent page has nothing to say", scope)
			}
		}
	}
	if sound {
		d.add("apps", fine, "", "%s, nothing to remark", count(len(apps), "app", "apps"))
	}
}

// askReady asks a server on this machine whether it is ready.
func askReady(ctx context.Context, r running) error {
	host, port, err := net.SplitHostPort(r.Listen)
	if err != nil {
		return fmt.Errorf("it is still starting")
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if r.TLS {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	// The name on the certificate is not that of this address. Nothing is sent
	// and no answer is believed but the status.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} //nolint:gosec // see above
	resp, err := client.Do(req)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "Get "))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}
