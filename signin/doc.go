// Package signin is what proving who one is by a name and a password needs:
// the normal form of usernames, the slow hash of passwords, and the throttle
// that makes guessing hopeless without locking anybody out.
//
// It reads no store and writes no answer. The caller does, in this order:
//
//	username, err := signin.NormalUsername(typed)      // a refused name is an unknown account
//	wait := throttle.Attempt(username, address, known) // wait > 0: answer 429 and hash nothing
//	ok, err := hasher.Check(ctx, account.Password, password) // "" for an unknown account
//	throttle.Succeeded(username, address, known)       // only if ok
package signin
