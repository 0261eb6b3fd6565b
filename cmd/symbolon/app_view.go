package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// printApp prints an app for people: what every app has, and what was decided
// otherwise than by default.
func printApp(sh *shell, v *admin.AppView) error {
	kind := v.AuthMethod
	switch {
	case v.Public:
		kind = "public: no secret, PKCE required"
	case v.AuthMethod == admin.AuthSecret:
		kind = "with a secret"
	}
	if v.RequirePKCE && !v.Public {
		kind += ", PKCE required"
	}
	rows := [][]string{
		{"client_id", v.ClientID},
		{"name", v.Name},
		{"home", orDash(v.Home)},
		{"kind", kind},
		{"profile", v.Profile},
		{"scope", orDash(v.Scope)},
		{"rotation", v.Rotation},
		{"created", whenStamp(v.CreatedAt)},
	}
	if v.Owner != "" {
		rows = append(rows, []string{"owner", string(v.Owner)})
	}
	if v.Status != symbolon.StatusLive.String() {
		rows = append(rows, []string{"status", v.Status})
	}
	for i, id := range v.TestAccounts {
		rows = append(rows, []string{label(i, "test accounts"), string(id)})
	}
	for i, uri := range v.RedirectURIs {
		rows = append(rows, []string{label(i, "redirect uri"), uri})
	}
	for i, s := range v.Secrets {
		rows = append(rows, []string{label(i, "secrets"), s.ID + "  made " + whenStamp(s.CreatedAt) + used(s.UsedAt)})
	}
	for i, name := range v.Loosened {
		rows = append(rows, []string{label(i, "loosened"), name})
	}
	rows = append(rows, settingRows(&v.SettingsView)...)
	if v.ClientSecret != "" {
		rows = append(rows, []string{"client_secret", v.ClientSecret})
	}
	if v.WebhookSecret != "" {
		rows = append(rows, []string{"webhook secret", v.WebhookSecret})
	}
	return sh.printTable(rows)
}

func settingRows(v *admin.SettingsView) [][]string {
	var rows [][]string
	add := func(name string, values ...string) {
		i := 0
		for _, value := range values {
			if value != "" {
				rows = append(rows, []string{label(i, name), value})
				i++
			}
		}
	}
	on := func(name string, set bool) {
		if set {
			add(name, "yes")
		}
	}
	for i, g := range v.GrantTypes {
		rows = append(rows, []string{label(i, "grants"), string(g)})
	}
	if len(v.JWKS) > 0 {
		add("keys", "a set of its own, in --json")
	}
	add("keys uri", v.JWKSURI)
	add("tls subject", v.TLSSubject)
	add("resources", v.Resources...)
	add("token format", v.TokenFormat)
	on("api", v.API)
	add("api resources", v.APIResources...)
	on("bound tokens", v.DPoPBound)
	on("tls tokens", v.TLSBound)
	on("pushed requests only", v.RequirePAR)
	on("signed requests only", v.RequireSigned)
	add("request uris", v.RequestURIs...)
	on("signed answers only", v.RequireSignedResponse)
	add("answers by", v.ResponseAlg)
	on("signed introspection", v.SignedIntrospection)
	add("proves itself by", v.AuthAlg)
	add("signs requests by", v.RequestAlg)
	add("id tokens by", v.IDTokenAlg)
	add("id tokens encrypted", strings.Trim(v.IDTokenKey+"/"+v.IDTokenContent, "/"))
	add("userinfo by", v.UserinfoAlg)
	add("userinfo encrypted", strings.Trim(v.UserinfoKey+"/"+v.UserinfoContent, "/"))
	add("pairwise within", v.Sector)
	add("default acr", v.DefaultACR...)
	if v.DefaultMaxAge > 0 {
		add("default max age", fmt.Sprintf("%d s", v.DefaultMaxAge))
	}
	add("after signing out", v.PostLogoutURIs...)
	add("told of sign-outs at", v.BackchannelURI)
	on("told which session", v.BackchannelSession)
	for i, id := range v.ExchangeFor {
		rows = append(rows, []string{label(i, "exchanges for"), string(id)})
	}
	on("impersonates", v.Impersonate)
	on("one connection each", v.OneConnection)
	add("told of events at", v.WebhookURL)
	add("told of", v.WebhookEvents...)
	if r := v.Registration; r != nil {
		add("registered itself as", r.ClientID)
		add("logo", r.LogoURI)
		add("policy", r.PolicyURI)
		add("terms", r.TermsURI)
		add("sector read at", r.SectorURI)
		add("signs people in at", r.InitiateURI)
		add("contacts", r.Contacts...)
	}
	return rows
}

// used says when a secret was last used, where that is known.
func used(at admin.Stamp) string {
	if time.Time(at).IsZero() {
		return ""
	}
	return ", used " + whenStamp(at)
}

// label is the label of a list's first row only.
func label(i int, s string) string {
	if i > 0 {
		return ""
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
