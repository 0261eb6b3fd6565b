package postgres

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// hostWait is how long one of several hosts is waited for, at most.
const hostWait = time.Second

// hosts are the servers that the URL names. A connection is made to the first that
// takes changes, as target_session_attrs=read-write says: a standby is neither
// written to nor read from, since it may not have what was ended. The host that
// took changes last is tried before the others, so that one that answers nothing
// is waited for once and not by each new connection.
type hosts struct {
	last atomic.Pointer[string] // as hostOf names it
}

func hostOf(h *pgconn.FallbackConfig) string {
	return net.JoinHostPort(h.Host, strconv.Itoa(int(h.Port)))
}

// hostsOf returns every way to connect that the configuration names: a host may be
// there twice, with TLS and without.
func hostsOf(c *pgconn.Config) []*pgconn.FallbackConfig {
	first := &pgconn.FallbackConfig{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}
	return append([]*pgconn.FallbackConfig{first}, c.Fallbacks...)
}

// connectTimeout returns how long a host is waited for when the URL does not say:
// so long that a caller who waits for a connection gets to the last of them.
func connectTimeout(c *pgconn.Config, wait time.Duration) time.Duration {
	names := make(map[string]bool)
	for _, h := range hostsOf(c) {
		names[hostOf(h)] = true
	}
	if len(names) == 1 {
		return wait
	}
	return min(hostWait, wait/time.Duration(len(names)))
}

// prefer puts the host that took changes last before the others, and has the
// connection learn which it is. It is called with the configuration of one
// connection.
func (h *hosts) prefer(_ context.Context, c *pgx.ConnConfig) error {
	all := hostsOf(&c.Config)
	if last := h.last.Load(); last != nil {
		slices.SortStableFunc(all, func(a, b *pgconn.FallbackConfig) int {
			switch isA, isB := hostOf(a) == *last, hostOf(b) == *last; {
			case isA == isB:
				return 0
			case isA:
				return -1
			default:
				return 1
			}
		})
		c.Host, c.Port, c.TLSConfig, c.Fallbacks = all[0].Host, all[0].Port, all[0].TLSConfig, all[1:]
	}
	// The driver says which address it has dialled, and not of which host. It dials
	// beside us, too, to cancel what a host that fell silent was asked.
	var dialled sync.Map // remote address of the connection → address as it was dialled
	byAddress := make(map[string]string)
	for _, a := range all {
		_, address := pgconn.NetworkAddress(a.Host, a.Port)
		byAddress[address] = hostOf(a)
	}
	lookup, dial := c.LookupFunc, c.DialFunc
	c.LookupFunc = func(ctx context.Context, name string) ([]string, error) {
		ips, err := lookup(ctx, name)
		for _, a := range all {
			for _, ip := range ips {
				if a.Host == name {
					_, address := pgconn.NetworkAddress(ip, a.Port)
					byAddress[address] = hostOf(a)
				}
			}
		}
		return ips, err
	}
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			dialled.LoadOrStore(conn.RemoteAddr().String(), address)
		}
		return conn, err
	}
	c.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn)
		if err != nil {
			return err
		}
		address, _ := dialled.Load(conn.Conn().RemoteAddr().String())
		text, _ := address.(string)
		if host, known := byAddress[text]; known {
			h.last.Store(&host)
		}
		return nil
	}
	return nil
}
