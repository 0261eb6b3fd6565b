// Package mail sends letters to people by SMTP (RFC 5321).
package mail

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/symbolon/symbolon"
)

const op = "send mail"

// Letter is a mail of plain text to one person.
type Letter struct {
	// To is an address as stores have it, without a name.
	To, Subject, Text string
}

// Relay takes letters on to where they go.
type Relay struct {
	from    string
	host    string
	options []mail.Option
}

// timeout bounds an attempt to hand on a letter.
const timeout = 20 * time.Second

// Where is where and how to reach a relay.
type Where struct {
	Host string
	Port int
	// Username is empty where the relay wants no sign-in.
	Username string
	// Within: TLS from the start (RFC 8314 §3.3), and no STARTTLS.
	Within bool
	// Near: it is on this computer, where plain text is read by nobody else.
	Near bool
}

// ParseURL reads smtp://user@host:587, or smtps:// for TLS from the start. A password
// has no place in it. The error is of kind Invalid.
func ParseURL(text string) (Where, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return Where{}, symbolon.Errorf(symbolon.Invalid, op, "it is not smtp://user@host:587 or smtps://user@host:465")
	}
	if _, set := u.User.Password(); set {
		return Where{}, symbolon.Errorf(symbolon.Invalid, op, "it has a password in it")
	}
	w := Where{Host: u.Hostname(), Port: 587, Username: u.User.Username(), Within: u.Scheme == "smtps"}
	if w.Within {
		w.Port = 465
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Where{}, symbolon.Errorf(symbolon.Invalid, op, "its port is none from 1 to 65535")
		}
		w.Port = int(n)
	}
	addr, err := netip.ParseAddr(w.Host)
	w.Near = w.Host == "localhost" || err == nil && addr.IsLoopback()
	return w, nil
}

// String returns where it is, without who signs in there.
func (w Where) String() string { return net.JoinHostPort(w.Host, strconv.Itoa(w.Port)) }

// NewRelay returns a Relay that sends as from, an address that may have a name in front
// of it. Nothing goes out unencrypted, except to this computer. The error is of kind
// Invalid.
func NewRelay(w Where, password, from string) (*Relay, error) {
	options := []mail.Option{mail.WithPort(w.Port), mail.WithTimeout(timeout)}
	switch {
	case w.Within:
		options = append(options, mail.WithSSL())
	case w.Near:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if w.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(w.Username), mail.WithPassword(password))
	}
	r := &Relay{from: from, host: w.Host, options: options}
	if _, err := r.write(&Letter{To: "someone@example.com"}); err != nil {
		return nil, err
	}
	if _, err := mail.NewClient(w.Host, options...); err != nil {
		return nil, symbolon.Wrap(symbolon.Invalid, op, err)
	}
	return r, nil
}

func (r *Relay) write(l *Letter) (*mail.Msg, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(r.from); err != nil {
		return nil, symbolon.Errorf(symbolon.Invalid, op, "the sender is no address")
	}
	if err := m.To(l.To); err != nil {
		return nil, symbolon.Errorf(symbolon.Invalid, op, "the receiver is no address")
	}
	m.Subject(strings.Join(strings.Fields(l.Subject), " "))
	// RFC 3834 §5: nobody's absence notes come back.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetMessageID()
	m.SetDate()
	m.SetBodyString(mail.TypeTextPlain, l.Text)
	return m, nil
}

// Send hands a letter on. The error is of kind Busy when another attempt may succeed,
// Invalid when none will; it holds nothing of the letter.
func (r *Relay) Send(ctx context.Context, l Letter) error {
	m, err := r.write(&l)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(r.host, r.options...)
	if err != nil {
		return symbolon.Wrap(symbolon.Invalid, op, err)
	}
	if err := client.DialAndSendWithContext(ctx, m); err != nil {
		// What a relay answers may repeat the address, which is for nobody's log.
		text := strings.ReplaceAll(strings.Join(strings.Fields(err.Error()), " "), l.To, "…")
		return symbolon.Errorf(symbolon.Busy, op, "%s", text[:min(len(text), 300)])
	}
	return nil
}

// Shown writes letters for who tries a server out, in place of sending them.
type Shown struct {
	mu sync.Mutex
	to io.Writer
}

// NewShown returns a Shown that writes to w.
func NewShown(w io.Writer) *Shown { return &Shown{to: w} }

// Send writes a letter.
func (s *Shown) Send(_ context.Context, l Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintf(s.to, "\n--- Mail to %s\n    %s\n\n%s\n---\n", l.To, l.Subject, strings.TrimSpace(l.Text))
	return err
}
