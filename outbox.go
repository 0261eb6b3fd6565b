package symbolon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"
)

// Outbox keeps what apps are still to be told. What is to be told is written by
// the method of Store that makes it so, in the same transaction: it is there if and
// only if the change is. A store that keeps apps and sessions is an Outbox, too.
//
// Whoever tells claims what is due, for a time: until that is over, nobody else
// gets it. Then it is due again, unless Told has said what came of it. So it is
// told at least once, however many share the work and whichever of them dies;
// where none dies and none is slow, once.
//
// Errors are as those of Store. After an error nothing that was claimed is lost:
// it is due again.
type Outbox interface {
	// Claim takes what is due at now, the longest due first, and removes what is
	// over.
	Claim(ctx context.Context, c Claim) (Claimed, error)
	// Told removes a delivery that was claimed or, with retryAt set, lets it be
	// due then, or when it is over at the latest. It does nothing when someone
	// else has claimed it since.
	Told(ctx context.Context, d Delivery, retryAt time.Time) error
	// Tell adds a delivery that no change makes, due at MadeAt, unless one with its
	// id is there.
	Tell(ctx context.Context, d Delivery) error
}

// DeliveryKind says what an app is to be told.
type DeliveryKind string

// TellLogout: that Session, a sign-in of Account, is over (OpenID Connect
// Back-Channel Logout §2.5). It has no Body.
const TellLogout DeliveryKind = "logout"

// How long deliveries are kept, and how large one may be.
const (
	// DeliveryLife is for how long it is tried to tell an app something.
	DeliveryLife = 24 * time.Hour
	// MaxDeliveryBody bounds the Body of a delivery, in bytes.
	MaxDeliveryBody = 16 << 10
)

// DeliveryID names a delivery: 128 random bits, or 128 bits of a SHA-256 over what it
// says, so that who makes it twice makes the same.
type DeliveryID [16]byte

// NewDeliveryID returns an id that no other delivery has.
func NewDeliveryID() DeliveryID {
	var id DeliveryID
	rand.Read(id[:])
	return id
}

// String returns 32 lower-case hex digits.
func (id DeliveryID) String() string { return hex.EncodeToString(id[:]) }

// Delivery is something that an app is to be told. It says to whom and of what;
// where to, the app's settings say when it is told.
type Delivery struct {
	ID      DeliveryID
	Kind    DeliveryKind
	Client  ClientID
	Account AccountID
	// Session is set when it is about a sign-in.
	Session SessionID
	// Body is what else is to be told, at most MaxDeliveryBody bytes.
	Body []byte
	// MadeAt is when it was made, ExpiresAt when it is over.
	MadeAt    time.Time
	ExpiresAt time.Time
	// Attempts counts the claims, this one included.
	Attempts int
}

// Check reports what no store may keep, as an error of kind Invalid.
func (d *Delivery) Check(op string) error {
	switch {
	case d.Kind == "" || d.Client == "":
		return Errorf(Invalid, op, "it is not said what to tell, or whom")
	case len(d.Body) > MaxDeliveryBody:
		return Errorf(Invalid, op, "the body has %d bytes, more than %d", len(d.Body), MaxDeliveryBody)
	case d.ExpiresAt.UnixMilli() <= d.MadeAt.UnixMilli():
		return Errorf(Invalid, op, "it would be over at once")
	}
	return nil
}

// Claim says what to take from an Outbox.
type Claim struct {
	// Limit is how many to take at most, and PerApp how many of one app: at least 1.
	Limit, PerApp int
	// Except are apps of which to take none.
	Except []ClientID
	// Lease is for how long nobody else gets what is taken.
	Lease time.Duration
	Now   time.Time
}

// Claimed is what came of a Claim.
type Claimed struct {
	// Due is what was taken, in no order.
	Due []Delivery
	// Over is what was removed, since nobody could tell it in time. There may be
	// more of it, which a later call removes.
	Over []Delivery
}

// ClaimRead is how many deliveries a store looks at for one Claim, the longest due
// first.
const ClaimRead = 512

// Pick chooses from the deliveries that are due, in the order in which they are.
func (c *Claim) Pick(due []Delivery) Claimed {
	var picked Claimed
	of := make(map[ClientID]int)
	for _, d := range due {
		switch {
		case d.ExpiresAt.UnixMilli() <= c.Now.UnixMilli():
			picked.Over = append(picked.Over, d)
		case len(picked.Due) < c.Limit && of[d.Client] < c.PerApp && !slices.Contains(c.Except, d.Client):
			of[d.Client]++
			picked.Due = append(picked.Due, d)
		}
	}
	return picked
}

// Check reports what no store may do, as an error of kind Invalid.
func (c *Claim) Check(op string) error {
	if c.Limit < 1 || c.PerApp < 1 || c.Lease <= 0 {
		return Errorf(Invalid, op, "a claim needs a limit, a limit for each app and a lease")
	}
	return nil
}
