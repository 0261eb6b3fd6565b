package main

import (
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/symbolon/symbolon/oauth"
)

// Every field with a setting tag is filled from, in this order: its flag, the
// environment (SYMBOLON_ and the name in capitals), the configuration file
// (the name as a key), and the default that stands here.

// place says on which data a command works.
type place struct {
	Data     string `setting:"data" default:"symbolon-data" placeholder:"DIR" help:"Directory with the database and the root key (${default})."`
	Database string `setting:"database" placeholder:"URL" help:"PostgreSQL database in place of the one in the data directory: postgres://user:password@host/name. Several nodes may share it."`
	// DatabaseNotify says whether nodes wake each other, which nothing depends on.
	DatabaseNotify string `setting:"database_notify" enum:"on,off" default:"on" help:"on, or off: have PostgreSQL wake the other nodes (NOTIFY) when something ends (${default}). Off for a pooler in transaction mode, and for databases that lack it."`
	Config         string `setting:"config" placeholder:"FILE" help:"Read settings from this TOML file. Otherwise from symbolon.toml in the data directory, if it is there."`
}

// settings are what an owner may set about a server. The zero value of each
// means its default.
type settings struct {
	place

	// BaseURL is where the server is reached from outside, in one spelling: it
	// is the issuer, which clients compare byte for byte.
	BaseURL string `setting:"base_url" group:"where" placeholder:"URL" help:"Where the server is reached from outside, without a final slash: https://auth.example.com, or https://example.com/auth."`
	// Listen is the address and port of the socket.
	Listen string `setting:"listen" group:"where" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address and port to listen on (${default}). Port 0 takes a free one."`
	// TLSCert and TLSKey are PEM files, taken up again when they change.
	TLSCert string `setting:"tls_cert" group:"where" placeholder:"FILE" help:"Certificate chain, PEM. Read again when it changes."`
	TLSKey  string `setting:"tls_key" group:"where" placeholder:"FILE" help:"Private key of the certificate, PEM."`
	// TrustedProxies are the reverse proxies that end TLS. With them set, any
	// other peer is refused, and X-Forwarded-For is believed from them alone.
	TrustedProxies []string `setting:"trusted_proxy" name:"trusted-proxy" group:"where" placeholder:"CIDR" help:"Network of the reverse proxy that ends TLS. Repeat it for several. Every other peer is then refused."`

	// RootKeyFile takes the place of root.key in the data directory.
	RootKeyFile string `setting:"root_key_file" group:"keys" placeholder:"FILE" help:"Root key, instead of SYMBOLON_ROOT_KEY, the systemd credential symbolon-root-key, or root.key in the data directory."`

	// Scopes are the sentences of the consent page. The scope connect has one
	// from the start.
	Scopes map[string]string `setting:"scopes" name:"scope" mapsep:"none" group:"scopes" placeholder:"NAME=SENTENCE" help:"What the consent page says about a scope. Repeat it for several; in the file, a table [scopes]."`

	appearanceSettings
	waysSettings
	// ConsoleApps is an admin.Registering.
	ConsoleApps string `setting:"console_apps" name:"console-apps" group:"console" enum:"operators,review,anyone" default:"operators" help:"Who may register apps in the console: operators; review: everyone, and operators set them live; anyone (${default})."`

	standardSettings
	lifetimes
	watchSettings
	logSettings
}

// standardSettings are about the standard surface and the APIs behind it. All of
// it is off from the start.
type standardSettings struct {
	// Resources are the owner's APIs, which tokens can be for (RFC 8707).
	Resources []apiSetting `setting:"resources" name:"resource" sep:"none" group:"standard" placeholder:"URI" help:"An API of yours that apps may ask tokens for. Repeat it for several; in the file, tables [[resources]] with uri, name, scopes and token_format."`
	// TrustedIssuers are those whose JWTs apps may exchange for tokens (RFC 7523).
	TrustedIssuers []issuerSetting `setting:"trusted_issuers" name:"trusted-issuer" sep:"none" group:"standard" placeholder:"JSON" help:"Someone whose signed statements about people are believed. Better in the file, as tables [[trusted_issuers]] with issuer, keys (a file) or keys_uri, audience, apps, and subject: id or username."`
	// Details are what apps may ask for in detail (RFC 9396).
	Details []detailSetting `setting:"authorization_details" name:"authorization-detail" sep:"none" group:"standard" placeholder:"JSON" help:"A type of authorization_details. Better in the file, as tables [[authorization_details]] with type, sentence (for the consent page, with {fields} in it), fields, and required."`
	// DPoPNonces says whether proofs must carry a value of ours (RFC 9449 §8).
	DPoPNonces string `setting:"dpop_nonces" name:"dpop-nonces" group:"standard" enum:"off,required" default:"off" help:"off, or required: a DPoP proof must carry a fresh value that this server gave out."`
	// RequirePAR is for every app (RFC 9126 §5); one alone may be made to push, too.
	RequirePAR bool `setting:"require_par" name:"require-par" group:"standard" help:"Refuse authorization requests that were not pushed to /oauth2/par, of every app."`
	// Implicit offers what RFC 9700 §2.1.2 advises against.
	Implicit bool `setting:"implicit" group:"standard" help:"Offer the response types id_token and id_token token, which bring tokens by the browser, to apps with the grant implicit. Best current practice advises against it: for old clients, and for the certification of OpenID Connect's dynamic profile."`
	// ClientCertificateHeader is believed from TrustedProxies only.
	ClientCertificateHeader string `setting:"client_certificate_header" group:"standard" placeholder:"NAME" help:"Header in which the trusted proxy forwards the client's certificate; it must remove what callers send there. None by default."`
	// ClientCA is a PEM file.
	ClientCA string `setting:"client_ca" name:"client-ca" group:"standard" placeholder:"FILE" help:"Certificates of the authorities that issue those of apps (tls_client_auth), PEM. Without it, a trusted proxy must check them, and none that reaches this server directly counts."`
	// FetchNetworks are reached although they are not public.
	FetchNetworks []string `setting:"fetch_networks" name:"fetch-network" group:"standard" placeholder:"CIDR" help:"Private network of your own, in which what apps name by an address may be. Repeat it for several. None by default, and public addresses only: an app could else send this server where only it can go."`
	// ClientDocuments and Registration let apps register themselves.
	ClientDocuments    bool   `setting:"client_id_metadata_documents" name:"client-id-metadata-documents" group:"standard" help:"Let apps use the https URL of their metadata document as client_id. The document is fetched."`
	Registration       bool   `setting:"dynamic_registration" name:"dynamic-registration" group:"standard" help:"Let apps register themselves (RFC 7591)."`
	RegistrationScopes string `setting:"registration_scopes" group:"standard" default:"connect" help:"All that apps that registered themselves may ask for, separated by spaces (${default})."`
}

// lifetimes are how long what the server gives out is honoured.
type lifetimes struct {
	CodeLifetime       span `setting:"code_lifetime" group:"lifetimes" default:"60s" help:"How long a code may be redeemed, 10s to 10m."`
	AccessLifetime     span `setting:"access_lifetime" group:"lifetimes" default:"10m" help:"How long an access token is honoured, 1m to 24h."`
	RefreshLifetime    span `setting:"refresh_lifetime" group:"lifetimes" default:"180d" help:"How long a connection lives without being refreshed."`
	ConnectionLifetime span `setting:"connection_lifetime" group:"lifetimes" default:"0" help:"How long a connection lives however often it is refreshed. 0 is without limit."`
	PublicGrace        span `setting:"public_grace" group:"lifetimes" default:"30s" help:"How long a public app may repeat a refresh whose answer it lost, 1s to 10m."`
	SessionLifetime    span `setting:"session_lifetime" group:"lifetimes" default:"7d" help:"How long a person stays signed in, 1m to 365d."`
}

// logSettings are how a server logs, on standard error.
type logSettings struct {
	LogLevel  string `setting:"log_level" group:"logs" enum:"auto,debug,info,warn,error" default:"auto" help:"Least level to log: debug, info, warn or error. Auto is info, or warn for the demo on a terminal."`
	LogFormat string `setting:"log_format" group:"logs" enum:"auto,json,text" default:"auto" help:"json or text. Auto is json, or text for the demo on a terminal."`
	// RequestLog keeps the last requests of each app, for who mends the app.
	RequestLog     string `setting:"request_log" name:"request-log" group:"logs" enum:"on,off" default:"on" help:"on, or off: keep the last requests of each app, without secrets, to explain why one was refused (${default})."`
	RequestLogKept int    `setting:"request_log_kept" name:"request-log-kept" group:"logs" default:"200" placeholder:"N" help:"How many of them are kept of each app that failed, and an eighth of it of each kind that did not, 10 to 5000 (${default})."`
}

var groups = []kong.Group{
	{Key: "where", Title: "Where it is reached"},
	{Key: "keys", Title: "Root key"},
	{Key: "scopes", Title: "Scopes"},
	{Key: "appearance", Title: "Appearance and languages"},
	{Key: "ways", Title: "How people sign in"},
	{Key: "console", Title: "Console"},
	{Key: "standard", Title: "Standard surface"},
	{Key: "lifetimes", Title: "Lifetimes"},
	{Key: "watch", Title: "Watching it"},
	{Key: "logs", Title: "Logs"},
}

// envName is the environment variable of a setting.
func envName(setting string) string { return "SYMBOLON_" + strings.ToUpper(setting) }

// feedBound is how old a server's knowledge of what has ended may be: 250 ms.
// A command that changes something returns when every server has taken it up.
const feedBound = 250 * time.Millisecond

// feedWait is how long after a commit every server has taken it up, or honours
// nothing.
var feedWait = oauth.SettleTime(feedBound)
