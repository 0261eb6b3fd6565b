package mail

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"mime/quotedprintable"
	"net"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

func TestParseURL(t *testing.T) {
	for text, want := range map[string]Where{
		"smtp://user@mail.example.com":       {Host: "mail.example.com", Port: 587, Username: "user"},
		"smtp://us%40er@mail.example.com:25": {Host: "mail.example.com", Port: 25, Username: "us@er"},
		"smtps://mail.example.com":           {Host: "mail.example.com", Port: 465, Within: true},
		"smtp://127.0.0.1:2525":              {Host: "127.0.0.1", Port: 2525, Near: true},
		"smtp://[::1]":                       {Host: "::1", Port: 587, Near: true},
	} {
		if got, err := ParseURL(text); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "mail.example.com", "http://mail.example.com", "smtp://user:secret@mail.example.com", "smtp://mail.example.com/x", "smtp://mail.example.com?tls=no", "smtp://mail.example.com:0", "smtp://"} {
		if _, err := ParseURL(text); symbolon.KindOf(err) != symbolon.Invalid || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// relay is a server that takes one mail, and keeps it.
func relay(t *testing.T, hello string) (address string, got <-chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	mails := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		fmt.Fprintf(c, "220 relay\r\n")
		var all strings.Builder
		for data := false; ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			all.WriteString(line)
			switch {
			case data && line == ".\r\n":
				mails <- all.String()
				data = false
				fmt.Fprintf(c, "250 ok\r\n")
			case data:
			case strings.HasPrefix(line, "EHLO"):
				fmt.Fprintf(c, "250-relay\r\n%s250 8BITMIME\r\n", hello)
			case strings.HasPrefix(line, "DATA"):
				data = true
				fmt.Fprintf(c, "354 go\r\n")
			case strings.HasPrefix(line, "QUIT"):
				fmt.Fprintf(c, "221 bye\r\n")
				return
			default:
				fmt.Fprintf(c, "250 ok\r\n")
			}
		}
	}()
	return l.Addr().String(), mails
}

func TestSend(t *testing.T) {
	address, got := relay(t, "")
	w, err := ParseURL("smtp://" + address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRelay(w, "", "Weather Mill <no-reply@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	link := "https://auth.example.com/reset/new?link=sym_rs_" + strings.Repeat("x", 200)
	err = r.Send(context.Background(), Letter{To: "jane@example.com", Subject: "One\r\nBcc: all@example.com", Text: "Hello Jäne,\n\n" + link + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	mail := <-got
	head, body, _ := strings.Cut(mail, "\r\n\r\n")
	var plain bytes.Buffer
	_, _ = plain.ReadFrom(quotedprintable.NewReader(strings.NewReader(body)))
	for _, want := range []string{"RCPT TO:<jane@example.com>", "MAIL FROM:<no-reply@example.com>", "Auto-Submitted: auto-generated", "Message-ID: <"} {
		if !strings.Contains(head, want) {
			t.Errorf("the mail lacks %q:\n%s", want, mail)
		}
	}
	if !strings.Contains(plain.String(), link) || strings.Contains(head, "\nBcc") || strings.Count(mail, "RCPT TO") != 1 {
		t.Errorf("%s\n%s", head, plain.String())
	}
}

// Nothing goes out unencrypted to another computer, and an address is one.
func TestSendRefuses(t *testing.T) {
	address, got := relay(t, "")
	host, port, _ := net.SplitHostPort(address)
	w := Where{Host: host, Port: 0}
	fmt.Sscan(port, &w.Port)
	r, err := NewRelay(w, "", "a@example.com") // as if it were elsewhere
	if err != nil {
		t.Fatal(err)
	}
	err = r.Send(context.Background(), Letter{To: "jane@example.com", Text: "x"})
	if symbolon.KindOf(err) != symbolon.Busy || strings.Contains(err.Error(), "jane") {
		t.Errorf("%v", err)
	}
	select {
	case <-got:
		t.Error("it went out unencrypted")
	default:
	}
	if err := r.Send(context.Background(), Letter{To: "jane\r\nRCPT TO:<x@example.com>"}); symbolon.KindOf(err) != symbolon.Invalid {
		t.Errorf("%v", err)
	}
	if _, err := NewRelay(w, "", "nobody"); symbolon.KindOf(err) != symbolon.Invalid {
		t.Errorf("%v", err)
	}
}

func TestShown(t *testing.T) {
	var b bytes.Buffer
	if err := NewShown(&b).Send(t.Context(), Letter{To: "jane@example.com", Subject: "S", Text: "link"}); err != nil || !strings.Contains(b.String(), "link") {
		t.Errorf("%q %v", b.String(), err)
	}
}
