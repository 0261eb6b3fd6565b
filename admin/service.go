package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/webhook"
)

// Actor is who does something.
type Actor struct {
	// Account owns the apps that it may manage; empty for one that owns none.
	Account symbolon.AccountID
	// Operator may do everything.
	Operator bool
}

// Registering says who may register apps, and set them live.
type Registering string

const (
	// ByOperators: operators alone register apps. Whoever is given one may set it live.
	ByOperators Registering = "operators"
	// ByReview: every account may register apps, and operators alone set them live and
	// change what people are shown of an app that is.
	ByReview Registering = "review"
	// ByAnyone: every account may register apps, and set them live.
	ByAnyone Registering = "anyone"
)

// Service does what can be done. Its fields do not change while it is used.
type Service struct {
	Store symbolon.Store
	// Now is the time by the server's clock.
	Now func() time.Time
	// Sandbox is set where the data is for trying out.
	Sandbox bool
	// Scopes are those that the configuration has sentences for, in each language (see
	// ScopeLanguage). An owner's app may ask for these, for those that an operator gave a
	// sentence, and for what an operator gave it.
	Scopes []symbolon.Scope
	// Registering is ByOperators when it is empty.
	Registering Registering
	// End ends something everywhere, as of now, whatever End.Now says: when it returns,
	// no node honours it.
	End func(ctx context.Context, end symbolon.End) (int, error)
	// Changed returns when every node knows of an app's change that was just made.
	Changed func(ctx context.Context) error
	// Hash returns the hash of a password. The error is of kind Invalid when it cannot
	// be one.
	Hash func(ctx context.Context, password string) (string, error)
}

// MaxSecrets is how many secrets of an app may be live at once.
const MaxSecrets = 5

// noApp is said of an app that is not there, and of another's.
func noApp(id symbolon.ClientID) error {
	return &Fault{Kind: symbolon.NotFound, Says: fmt.Sprintf("there is no app %q", string(id)), Hint: "“symbolon app list” shows them all"}
}

// MayRegister reports whether an actor may register apps.
func (s *Service) MayRegister(who Actor) bool {
	return who.Operator || who.Account != "" && (s.Registering == ByReview || s.Registering == ByAnyone)
}

// owns reports whether an actor may manage an app.
func (who Actor) owns(app *symbolon.App) bool {
	return who.Operator || who.Account != "" && app.Owner == who.Account
}

// App returns an app that the actor may manage.
func (s *Service) App(ctx context.Context, who Actor, id symbolon.ClientID) (*symbolon.App, error) {
	if id == "" {
		return nil, noApp(id)
	}
	apps, err := s.Store.Apps(ctx, symbolon.AppQuery{ID: id, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(apps) == 0 || !who.owns(&apps[0]) {
		return nil, noApp(id)
	}
	return &apps[0], nil
}

// AppFilter selects apps.
type AppFilter struct {
	// Owner selects those of one account; an actor who is no operator gets its own.
	Owner symbolon.AccountID
	// Text selects those whose name or id has it, in letters of either case.
	Text string
	// After selects those behind this one, and Limit is how many at most: 50 when 0,
	// and never more than 200.
	After symbolon.ClientID
	Limit int
}

// maxScanned bounds how many rows are looked at for a text.
const maxScanned = 20_000

// Apps returns apps in the order of their ids, and from where to go on; empty at the end.
func (s *Service) Apps(ctx context.Context, who Actor, f AppFilter) (apps []symbolon.App, next symbolon.ClientID, err error) {
	if !who.Operator {
		if who.Account == "" {
			return nil, "", nil
		}
		f.Owner = who.Account
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	text := strings.ToLower(f.Text)
	q := symbolon.AppQuery{Owner: f.Owner, After: f.After, Limit: 500}
	for scanned := 0; ; {
		rows, err := s.Store.Apps(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for i := range rows {
			if r := rows[i].Settings.Registration; r != nil && !r.DeletedAt.IsZero() {
				continue // it is deleted, and there only to stay so
			}
			if text != "" && !strings.Contains(strings.ToLower(rows[i].Name), text) && !strings.Contains(strings.ToLower(rows[i].ClientID()), text) {
				continue
			}
			if len(apps) == limit {
				return apps, apps[len(apps)-1].ID, nil
			}
			apps = append(apps, rows[i])
		}
		if len(rows) < q.Limit {
			return apps, "", nil
		}
		q.After = rows[len(rows)-1].ID
		if scanned += len(rows); scanned >= maxScanned {
			return apps, q.After, nil
		}
	}
}

// Created is an app that was just registered, or got a further secret.
type Created struct {
	App *symbolon.App
	// Secret is the new secret, or empty for an app that has none. It is shown once.
	Secret string
}

// CreateApp registers an app. Its id, its secret, its owner and its time are given here: an
// owner gets its own, and an operator says who shall have it.
func (s *Service) CreateApp(ctx context.Context, who Actor, app symbolon.App) (*Created, error) {
	if !s.MayRegister(who) {
		return nil, denied("apps are registered by an operator here")
	}
	if app.ID == "" {
		app.ID = symbolon.NewClientID()
	}
	now := s.Now()
	app.Sandbox, app.CreatedAt, app.Version = s.Sandbox, now, 0
	if !who.Operator {
		app.Owner = who.Account
		if err := s.withinQuota(ctx, who); err != nil {
			return nil, err
		}
	}
	if app.Rotation == "" {
		app.Rotation = symbolon.RotateAlways
	}
	bare := symbolon.App{Rotation: symbolon.RotateAlways, Owner: app.Owner, Public: app.Public, Settings: symbolon.Settings{Status: symbolon.StatusTest}}
	if err := s.check(ctx, who, &bare, &app); err != nil {
		return nil, err
	}
	plain := ""
	app.Secrets = nil
	if HasSecret(&app) {
		var secret symbolon.Secret
		plain, secret = symbolon.NewSecret(now)
		app.Secrets = []symbolon.Secret{secret}
	}
	if err := s.Store.PutApp(ctx, app); err != nil {
		return nil, err
	}
	app.Version = 1
	return &Created{App: &app, Secret: plain}, s.Changed(ctx)
}

// maxOwned bounds the apps of an owner who is no operator.
const maxOwned = 50

func (s *Service) withinQuota(ctx context.Context, who Actor) error {
	rows, err := s.Store.Apps(ctx, symbolon.AppQuery{Owner: who.Account, Limit: maxOwned})
	if err == nil && len(rows) >= maxOwned {
		err = denied("you have %d apps, and may register no more; delete one, or ask an operator", maxOwned)
	}
	return err
}

// maxRaces bounds how often a change is tried again because another came first.
const maxRaces = 5

// EditApp changes an app by edit, which may be called several times, each time with the
// app as it is then. With tag set, the app must still be as it was when Tag returned that:
// the fault is of kind Conflict otherwise.
func (s *Service) EditApp(ctx context.Context, who Actor, id symbolon.ClientID, tag string, edit func(*symbolon.App) error) (*symbolon.App, error) {
	for range maxRaces {
		was, err := s.App(ctx, who, id)
		if err != nil {
			return nil, err
		}
		if tag != "" && tag != Tag(was) {
			return nil, &Fault{Kind: symbolon.Conflict, Says: "the app was changed since you read it; read it again, and decide anew"}
		}
		app := *was
		app.RedirectURIs, app.Secrets = slices.Clone(was.RedirectURIs), slices.Clone(was.Secrets)
		app.Settings.TestAccounts = slices.Clone(was.Settings.TestAccounts)
		if err := edit(&app); err != nil {
			return nil, err
		}
		app.ID, app.Version, app.CreatedAt, app.Sandbox = was.ID, was.Version, was.CreatedAt, was.Sandbox
		if err := s.check(ctx, who, was, &app); err != nil {
			return nil, err
		}
		err = s.Store.PutApp(ctx, app)
		if symbolon.KindOf(err) == symbolon.Conflict && err != nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		app.Version++
		return &app, s.Changed(ctx)
	}
	return nil, symbolon.Errorf(symbolon.Busy, "edit app", "the app changes all the time")
}

// check holds an app that is about to be stored to the rules for all, to what its actor
// may change, and to what else is there.
func (s *Service) check(ctx context.Context, who Actor, was, app *symbolon.App) error {
	if !who.Operator {
		if err := s.operatorOnly(ctx, was, app); err != nil {
			return err
		}
	}
	if err := CheckApp(app); err != nil {
		return err
	}
	if err := checkLogout(app); err != nil {
		return err
	}
	for _, id := range app.Settings.ExchangeFor {
		if id == "*" || id == app.ID {
			continue
		}
		if _, err := s.App(ctx, who, id); err != nil {
			return err
		}
	}
	if err := s.checkSigning(ctx, app); err != nil {
		return err
	}
	if hook := app.Settings.Webhook; hook != nil {
		if err := webhook.CheckURL(hook.URL, app.Sandbox); err != nil {
			return mend(fault("the webhook's URL %q cannot be used: %s", printable(hook.URL), detail(err)), "write it as https://app.example/hooks")
		}
	}
	if len(app.Settings.TestAccounts) > MaxTestAccounts {
		return fault("an app has at most %d test accounts", MaxTestAccounts)
	}
	if app.Owner != was.Owner && app.Owner != "" {
		if _, err := s.anyAccount(ctx, string(app.Owner)); err != nil {
			return err
		}
	}
	if was.Settings.Status == symbolon.StatusTest && app.Settings.Status == symbolon.StatusLive && !who.Operator {
		if s.Registering == ByReview {
			return denied("an operator sets apps live here")
		}
		items, err := s.checklist(ctx, app)
		if err != nil {
			return err
		}
		for _, item := range items {
			if item.Required && !item.Done {
				return fault("the app is not ready to go live: %s", checkWords[item.Name])
			}
		}
	}
	return nil
}

// MaxTestAccounts bounds the accounts that may connect an app in test beside its owner.
const MaxTestAccounts = 100

// AddSecret gives an app a further secret. The others go on working, unless retire is
// set.
func (s *Service) AddSecret(ctx context.Context, who Actor, id symbolon.ClientID, retire bool) (*Created, error) {
	var plain string
	app, err := s.EditApp(ctx, who, id, "", func(app *symbolon.App) error {
		if app.Public {
			return fault("a public app has no secret")
		}
		if !HasSecret(app) {
			return mend(fmt.Errorf("the app proves itself by %s, not by a secret", app.Method()), "symbolon app edit %s --auth %s lets it use one", app.ID, AuthSecret)
		}
		if retire {
			app.Secrets = nil
		}
		if len(app.Secrets) >= MaxSecrets {
			return mend(fmt.Errorf("the app has %d live secrets, and may have no more", len(app.Secrets)), "retire one first: symbolon app retire-secret %s %s", app.ID, app.Secrets[0].ID)
		}
		var secret symbolon.Secret
		plain, secret = symbolon.NewSecret(s.Now())
		app.Secrets = append(app.Secrets, secret)
		return nil
	})
	if app == nil {
		return nil, err
	}
	return &Created{App: app, Secret: plain}, err
}

// RetireSecret stops honouring a secret. That of the last one is refused unless last is
// set.
func (s *Service) RetireSecret(ctx context.Context, who Actor, id symbolon.ClientID, secret string, last bool) (*symbolon.App, error) {
	return s.EditApp(ctx, who, id, "", func(app *symbolon.App) error {
		i := slices.IndexFunc(app.Secrets, func(s symbolon.Secret) bool { return s.ID == secret })
		if i < 0 {
			return &Fault{Kind: symbolon.NotFound, Says: fmt.Sprintf("the app has no live secret %q", printable(secret)), Hint: fmt.Sprintf("“symbolon app show %s” shows their ids", app.ID)}
		}
		if len(app.Secrets) == 1 && !last {
			return mend(fmt.Errorf("it is the app's last secret"), "“symbolon app rotate-secret %s” makes another first; or add --yes", app.ID)
		}
		app.Secrets = slices.Delete(app.Secrets, i, i+1)
		return nil
	})
}

// DeleteApp deletes an app and ends all its connections.
func (s *Service) DeleteApp(ctx context.Context, who Actor, id symbolon.ClientID) error {
	app, err := s.App(ctx, who, id)
	if err != nil {
		return err
	}
	end := symbolon.End{Client: app.ID, Delete: true, Reason: symbolon.ByOperator}
	if gone, needed := oauth.Gone(app, oauth.UnusedLifetime, s.Now()); needed {
		// Its client_id alone would bring it back, with its secret.
		if err := s.Store.PutApp(ctx, gone); err != nil {
			return err
		}
		end.Delete = false
	}
	if _, err := s.End(ctx, end); err != nil {
		return err
	}
	return s.Changed(ctx)
}
