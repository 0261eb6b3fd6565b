package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/signin"
)

// janeDoe is the account that an API caller's code is for.
const janeDoe symbolon.AccountID = "d1b03e513fbc5881651d6c149fd259506f975ae1"

// sandboxPeople are the accounts of a demo. Their passwords are no secret.
var sandboxPeople = []struct {
	id             symbolon.AccountID
	username, name string
	password       string
}{
	{janeDoe, "jane", "Jane Doe", "jane-sandbox"},
	{"5c0fa9d0b6f2b1a9e3d47c8815f60a2be94d7130", "john", "John Doe", "john-sandbox"},
	{"a86e3f0d92c47b15de08f6b9c3a1745082eb6d9f", "black", "Jane Black", "black-sandbox"},
}

// sandbox is what a demo has from the start.
type sandbox struct {
	host  string    // that the demo listens on
	mails io.Writer // gets the mails that would be sent

	app    symbolon.App
	secret string
	people []sandboxPerson
}

type sandboxPerson struct {
	account  symbolon.Account
	password string // empty when someone has changed it
}

// sandboxFile is what a demo keeps of its seeds beside the database, which has
// hashes only.
type sandboxFile struct {
	ClientID     symbolon.ClientID `json:"client_id"`
	ClientSecret string            `json:"client_secret"`
	// Hashes are those of the sandbox passwords, by username. While an account
	// has the one that stands here, its password is the sandbox one, which is
	// thus known without the work of a slow hash at each start.
	Hashes map[string]string `json:"hashes"`
}

const sandboxName = "sandbox.json"

// seed makes what is missing of a demo's accounts and app, and changes nothing
// that is there.
func (b *sandbox) seed(ctx context.Context, store symbolon.Store, clock symbolon.Clock, dir string, hasher *signin.Hasher) error {
	path := filepath.Join(dir, sandboxName)
	kept, err := readSandbox(path)
	if err != nil {
		return err
	}
	before := kept
	if kept.ClientID == "" {
		secret, _ := symbolon.NewSecret(clock.Now())
		kept = sandboxFile{ClientID: symbolon.NewClientID(), ClientSecret: secret}
	}
	if len(kept.Hashes) != len(sandboxPeople) {
		kept.Hashes = make(map[string]string)
		for _, p := range sandboxPeople {
			if kept.Hashes[p.username], err = hasher.Hash(ctx, p.password); err != nil {
				return err
			}
		}
	}
	// The file comes first: a secret whose hash alone is kept would be lost.
	if before.ClientID != kept.ClientID || len(before.Hashes) != len(kept.Hashes) {
		text, err := json.Marshal(kept)
		if err != nil {
			return err
		}
		if err := replaceFile(path, append(text, '\n')); err != nil {
			return fmt.Errorf("sandbox.json cannot be written: %w", err)
		}
	}
	if err := b.seedApp(ctx, store, kept, clock.Now()); err != nil {
		return err
	}
	return b.seedPeople(ctx, store, kept, clock.Now())
}

func readSandbox(path string) (sandboxFile, error) {
	var kept sandboxFile
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return kept, mend(fmt.Errorf("%s cannot be read: %w", path, err), "remove it: the demo then gets a new app")
	}
	return kept, nil
}

func (b *sandbox) seedApp(ctx context.Context, store symbolon.Store, kept sandboxFile, now time.Time) error {
	b.secret = kept.ClientSecret
	found, err := store.Apps(ctx, symbolon.AppQuery{ID: kept.ClientID, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 1 {
		b.app = found[0]
	} else {
		b.app = symbolon.App{
			ID:        kept.ClientID,
			Name:      "Sandbox app",
			Scope:     symbolon.Scopes{symbolon.ScopeConnect, "home", "openid", "profile", "email", "address", "phone"},
			Rotation:  symbolon.RotateAlways,
			Owner:     janeDoe,
			Sandbox:   true,
			CreatedAt: now,
			RedirectURIs: []string{
				"https://www.integromat.com/oauth/cb/app",
				"https://www.make.com/oauth/cb/app",
				"http://127.0.0.1/playground/callback",
			},
		}
	}
	changed := len(found) == 0
	if b.app.Owner == "" { // from before apps had one
		b.app.Owner, changed = janeDoe, true
	}
	if uri := "http://[::1]/playground/callback"; b.host == "::1" && !slices.Contains(b.app.RedirectURIs, uri) {
		b.app.RedirectURIs = append(b.app.RedirectURIs, uri)
		changed = true
	}
	if !b.app.CheckSecret(kept.ClientSecret) {
		b.app.Secrets = append(b.app.Secrets, symbolon.HashSecret(kept.ClientSecret, now))
		changed = true
	}
	if !changed {
		return nil
	}
	if err := store.PutApp(ctx, b.app); err != nil {
		return err
	}
	b.app.Version++
	return nil
}

func (b *sandbox) seedPeople(ctx context.Context, store symbolon.Store, kept sandboxFile, now time.Time) error {
	for _, p := range sandboxPeople {
		found, err := store.Accounts(ctx, symbolon.AccountQuery{ID: p.id, Limit: 1})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			found = []symbolon.Account{{ID: p.id, Username: p.username, Name: p.name, Password: kept.Hashes[p.username], Profile: sandboxProfile(p.name, now), Sandbox: true, CreatedAt: now, Operator: p.id == janeDoe}}
			if err := store.PutAccount(ctx, found[0]); err != nil {
				return err
			}
		}
		if p.id == janeDoe && !found[0].Operator { // from before there were operators
			found[0].Operator = true
			if err := store.PutAccount(ctx, found[0]); err != nil {
				return err
			}
			found[0].Version++
		}
		person := sandboxPerson{account: found[0]}
		if found[0].Password == kept.Hashes[p.username] {
			person.password = p.password
		}
		b.people = append(b.people, person)
	}
	return nil
}

// sandboxProfile is all that OpenID Connect has words for, so that each of its
// scopes can be tried.
func sandboxProfile(name string, now time.Time) symbolon.Profile {
	given, family, _ := strings.Cut(name, " ")
	at := strings.ToLower(given + "." + family)
	return symbolon.Profile{
		GivenName: given, FamilyName: family, MiddleName: "Q.", Nickname: given,
		Page: "https://example.com/" + at, Picture: "https://example.com/" + at + ".png", Website: "https://" + at + ".example",
		Gender: "unknown", Birthdate: "1987-10-16", Zone: "Europe/Prague", Locale: "en",
		Email: at + "@example.com", EmailVerified: true, Phone: "+420 555 012 345",
		Address:   &symbolon.Address{Formatted: "1 Example Street\n110 00 Praha", Street: "1 Example Street", Locality: "Praha", Region: "Praha", PostalCode: "110 00", Country: "CZ"},
		UpdatedAt: now,
	}
}
