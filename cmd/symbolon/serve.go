package main

import (
	"fmt"
	"net"

	"github.com/symbolon/symbolon/web"
)

// serveCmd runs the server.
type serveCmd struct {
	settings
}

// Help implements kong.HelpProvider.
func (serveCmd) Help() string {
	return `Where TLS ends decides the flags: here (--tls-cert and --tls-key), or at a reverse proxy (--trusted-proxy), which must set X-Forwarded-For. Plain HTTP without a proxy is for this computer only.

Example:

    symbolon serve --base-url https://auth.example.com --listen :443 --tls-cert cert.pem --tls-key key.pem --data /var/lib/symbolon`
}

// Run implements the command.
func (c *serveCmd) Run(sh *shell) error {
	checked, err := c.check()
	if err != nil {
		return err
	}
	lines := web.NewLines(sh.stderr)
	defer lines.Close()
	log := c.logs(lines, false)
	s := &server{settings: c.settings, checked: checked, env: sh.env, log: log, ready: func(address net.Addr) error {
		if port := c.otherPort(); port != "" {
			log.Warn(otherPort, "mend", fmt.Sprintf(otherPortMend, port))
		}
		if c.hidesCallers() {
			log.Warn(hidesCallers, "mend", hidesCallersMend)
		}
		log.Info("serving", "base_url", c.BaseURL, "listen", address.String(), "data", c.Data, "version", thisBuild().Version)
		return nil
	}}
	return s.run(sh.ctx)
}
