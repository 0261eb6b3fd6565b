package oauth

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
)

// SetPassword gives an account another password, by its hash, and ends all that was
// made for it up to now: whoever knew the old one may have signed in and connected
// apps. What it proves itself with beside the password stays. It is over everywhere
// when it returns. The error is of kind Conflict, and nothing was done, when the
// account is another than the one that was read.
func (e *Engine) SetPassword(ctx context.Context, account symbolon.Account, hash string) error {
	ctx = context.WithoutCancel(ctx)
	now := e.clock.Now()
	// Up to a moment before, or there would be nothing left for End.
	account.Password, account.NotBefore = hash, now.Add(-time.Millisecond)
	if err := e.store.PutAccount(ctx, account); err != nil {
		return err
	}
	// The consents as well.
	_, err := e.End(ctx, symbolon.End{Account: account.ID, Reason: symbolon.ByPassword})
	return err
}
