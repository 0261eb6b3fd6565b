// Package oauth is the engine: the six steps of the API, and every rule that
// they keep. It knows nouns and outcomes; it reaches neither HTTP nor SQL.
//
// # The six steps
//
//	1  Redirect a user to your app        authorize.go   Engine.Authorize   (who and consent: person.go)
//	2  Handle the callback request        callback.go    Callback.URL       (the app's side; we only write the URL)
//	3  Retrieve an access and a refresh   token.go       Engine.Token
//	4  Make an API request                info.go        Engine.Info
//	5  Refresh the access token           refresh.go     Engine.Refresh
//	6  Access invalidation                invalidate.go  Engine.Invalidate
//
// A step is one method, read from top to bottom: who asks, what is presented,
// is it allowed, spend, answer. All is checked before anything is spent, by one
// statement of the store with its own condition; after it, a client that hangs
// up undoes nothing. Nothing is stored for a code or a token: they are sealed
// values (package seal), and the connection's row knows what became of them.
//
// # Which rule is kept where
//
// Each line names the identifier that keeps the rule. A test holds the table to
// the code, both ways.
//
//	rule                                          kept by            1  3  4  5  6
//	app and redirect URI are proven first         provenApp          x  .  .  .  .
//	a redirect URI is matched byte for byte       matchRedirectURI   x  .  .  .  .
//	response type, scope, resource, prompt        readAuthorization  x  .  .  .  .
//	the sign-in is as the app wants it            asWanted           x  .  .  .  .
//	there is a key to sign the ID token with      signsFor           x  x  .  x  .
//	a challenge is S256 and well formed           readChallenge      x  .  .  .  .
//	never another account's code                  pickAccount        x  .  .  .  .
//	an app in test takes its test accounts only   Admits             x  x  .  .  .
//	what rules this server is for it alone        adminTarget        x  x  .  x  .
//	consent covers what is asked                  checkConsent       x  .  .  .  .
//	no stranger makes us fetch a document         stranger           x  .  .  .  .
//	a changed app is asked for again              remembered         x  .  .  .  .
//	nothing is kept before the first consent      keepApp            x  .  .  .  .
//	a parameter stands once and is whole          faults             x  x  .  x  .
//	the app proves itself                         authenticate       .  x  .  x  .
//	a secret is compared in constant time         FindSecret         .  x  .  x  .
//	who guesses secrets is slowed                 wrong              .  x  .  x  .
//	a sealed value is ours, and of this kind      open               .  x  x  x  x
//	a value says until when it is good            ExpiresAt          x  x  x  x  x
//	the verifier belongs to the challenge         checkVerifier      .  x  .  .  .
//	scope may shrink, never grow                  Covers             x  x  .  x  .
//	the scope connect is there                    ScopeConnect       .  .  x  .  .
//	no limit is moved by a refresh                expiry             .  x  .  x  .
//	who knows not what has ended honours nothing  Fresh              x  x  x  x  x
//	what has ended is over                        Over               x  x  x  .  x
//	what this node ended, it knows at once        Note               .  x  .  x  x
//	what is said to be over is over everywhere    settle             .  x  .  x  x
//	hanging up undoes nothing                     WithoutCancel      x  x  .  x  x
//	busy and unknown are never a refusal          storeError         x  x  x  x  x
//
// # The standard surface
//
// The same engine by the RFCs' own paths. A request says which surface it came
// by (Standard): there it may leave out what goes without saying, and use every
// grant. What else differs is the status of a refusal, in web/status.go.
//
//	/oauth2/authorize             authorize.go      Engine.Authorize        signed requests: requestobject.go
//	/oauth2/par                   par.go            Engine.Push
//	/oauth2/token                 token.go          Engine.Token            the grants are below
//	/oauth2/device_authorization  device.go         Engine.AuthorizeDevice
//	/device                       device.go         Engine.Device           and Engine.Answer: the person's side
//	/oauth2/introspect            introspect.go     Engine.Introspect
//	/oauth2/revoke                revoke.go         Engine.Revoke
//	/oauth2/userinfo              userinfo.go       Engine.Userinfo         what is said of a person: package oidc
//	/oauth2/logout                logout.go         Engine.Logout           and Engine.SignOut; telling apps: packages oidc, outbox
//	/oauth2/register              register.go       Engine.Register         apps that are documents: document.go
//	/oauth2/jwks                  offers.go         Engine.KeySet
//	/.well-known/…                offers.go         Engine.Offers
//	/forward-auth                 forward.go        Engine.Forward
//	/admin/v1/…                   admin.go          Engine.Admin            what is done there: package admin
//
// Every grant begins with caller.go (who asks, may it use the grant, to which key
// are its tokens bound) and ends with issue.go. Between them:
//
//	authorization_code            token.go          redeem
//	refresh_token                 refresh.go        Refresh
//	client_credentials            clientcredentials.go  clientCredentials
//	device_code                   device.go         deviceToken
//	token-exchange                exchange.go       exchange
//	jwt-bearer                    assertiongrant.go assertionGrant
//
// How an app proves itself is in clientauth.go, assertion.go and certificate.go;
// what a token is for, in resource.go and details.go; what it looks like, in
// accesstoken.go; to which key it is bound, in dpop.go. What OpenID Connect adds to a
// request, and what goes into an ID token, is in openid.go.
//
// By whose word a person signs in, beside their own: Engine.Handoff in handoff.go, and
// Engine.Used for what was answered by another issuer, which package upstream asks.
// Engine.SetPassword, in password.go, ends what the old password may have done.
//
// Where this engine differs from an RFC, or decides what one leaves open, stands
// in docs/divergences.md. Every row of the requirement ledger that the steps
// answer for is in ledger_test.go, with the test that names it.
package oauth
