package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// Reason says why a database at a URL could not be opened, and what mends it, in words for
// whoever set it up. Both are empty where the error is of another kind; neither holds a
// password. What the server itself says comes before what one of several hosts lacks.
func Reason(rawURL string, err error) (wrong, mend string) {
	config, parseErr := pgconn.ParseConfig(rawURL)
	if err == nil || parseErr != nil {
		return "", ""
	}
	at := addresses(config)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal(config, at, refused)
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the address of the host %s cannot be found", unknown.Name), "look whether the host in the URL is spelled right, and whether this machine can look it up"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at " + at, "start PostgreSQL there, or name its host and port in the URL"
	case errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(config.Host, "/"):
		return "there is no socket of PostgreSQL in " + config.Host, "start PostgreSQL, or name its host and port in the URL (or in PGHOST and PGPORT)"
	case errors.Is(err, fs.ErrPermission) && strings.HasPrefix(config.Host, "/"):
		return "this user may not use the socket of PostgreSQL in " + config.Host, "name a host in the URL, or run this as a user who may"
	case timedOut(err), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return at + " does not answer", "look whether PostgreSQL runs there, and whether a firewall stands between"
	}
	return "", ""
}

// timedOut reports whether someone was waited for in vain.
func timedOut(err error) bool {
	waited, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && waited.Timeout()
}

// addresses is where a configuration looks for the server: each host once.
func addresses(c *pgconn.Config) string {
	var names []string
	seen := make(map[string]bool)
	for _, h := range hostsOf(c) {
		if name := hostOf(h); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// refusal is Reason for what the server answered, by its SQLSTATE (PostgreSQL's manual,
// appendix A).
func refusal(c *pgconn.Config, at string, e *pgconn.PgError) (wrong, mend string) {
	switch e.Code {
	case "3D000": // invalid_catalog_name
		return fmt.Sprintf("PostgreSQL at %s has no database %q", at, c.Database), fmt.Sprintf("make it, as a user who may: createdb --owner %s --encoding UTF8 --template template0 %s", c.User, c.Database)
	case "28P01": // invalid_password
		return fmt.Sprintf("PostgreSQL at %s refuses the password of the user %q", at, c.User), "put the right one into the URL, or into PGPASSWORD"
	case "28000": // invalid_authorization_specification
		return fmt.Sprintf("PostgreSQL at %s does not let the user %q in: %s", at, c.User, e.Message), "name a user in the URL who exists (createuser) and may come from here (pg_hba.conf)"
	case "42501": // insufficient_privilege
		return fmt.Sprintf("the user %q may not do what is needed in the database %q: %s", c.User, c.Database, e.Message), fmt.Sprintf("make the user its owner: ALTER DATABASE %q OWNER TO %q", c.Database, c.User)
	case "53300": // too_many_connections
		return fmt.Sprintf("PostgreSQL at %s has no connection left", at), "raise max_connections there, or lower pool_max_conns in the URL"
	case "57P03": // cannot_connect_now
		return fmt.Sprintf("PostgreSQL at %s is not ready: %s", at, e.Message), "wait until it is"
	}
	return "", ""
}
