package main

import (
	"context"

	"github.com/symbolon/symbolon/mail"
)

// telling has the log say when mails cannot be handed on. What is in them it does not
// say, nor to whom they are.
func (s *server) telling(relay *mail.Relay, where string) func(context.Context, mail.Letter) error {
	return func(ctx context.Context, l mail.Letter) error {
		err := relay.Send(ctx, l)
		if err != nil {
			s.log.Warn("a mail could not be handed on; it is tried four times", "relay", where, "cause", oneLine(err.Error()))
		}
		return err
	}
}
