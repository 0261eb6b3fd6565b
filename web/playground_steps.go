package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon/oauth"
)

// act takes the forms of the playground. It answers with a redirect to the step
// that was done, so that loading the page again sends nothing twice.
func (p *playground) act(w http.ResponseWriter, r *http.Request, ev *event) error {
	if mediaType(r.Header) != "application/x-www-form-urlencoded" {
		return &deniedError{reason: "denied.not_a_form", retry: playPath}
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	form, err := oauth.ParseForm(string(body))
	if err != nil {
		return &deniedError{reason: "denied.too_many_fields", retry: playPath}
	}
	s, ok := p.open(r)
	if !ok {
		return &deniedError{reason: "denied.playground_cookie", retry: playPath}
	}
	action := form.First("action")
	if action == "reset" {
		p.setCookie(w, "", -1e9)
		return p.h.redirect(w, r, ev, playPath)
	}
	step, err := p.do(r, action, &form, s)
	if err != nil {
		ev.detail = "the playground could not reach this server: " + err.Error()
	}
	if err := p.keep(w, s); err != nil {
		return err
	}
	return p.h.redirect(w, r, ev, playPath+"#step-"+strconv.Itoa(step))
}

// do carries out an action and returns its step. An action that is not possible
// yet, or unknown, does nothing. The error is a request without an answer.
func (p *playground) do(r *http.Request, action string, form *oauth.Params, s *play) (step int, err error) {
	switch action {
	case "prepare":
		s.prepare(form)
		return 1, nil
	case "authorize":
		return 1, p.authorize(r, s)
	case "callback":
		if s.Answered != "" {
			err = p.callCallback(r, s)
		}
		return 2, err
	case "token":
		if as := form.First("as"); as == asForm || as == asJSON || as == asBasic {
			s.As = as
		}
		if s.Code != "" {
			err = p.redeem(r, s)
		}
		return 3, err
	case "info":
		if s.Access != "" {
			err = p.bearer(r, s, 4, "/info")
		}
		return 4, err
	case "refresh", "again", "replay":
		if token := s.refreshToken(action); token != "" {
			err = p.refresh(r, s, action, token)
		}
		return 5, err
	case "invalidate":
		if s.Access != "" {
			err = p.bearer(r, s, 6, "/invalidate")
		}
		return 6, err
	case "after":
		if s.Access != "" {
			err = p.bearer(r, s, 6, "/info")
		}
		return 6, err
	default:
		return 1, nil
	}
}

// prepare takes what the next authorization request shall ask for.
func (s *play) prepare(form *oauth.Params) {
	s.Scope, s.Hint, s.PKCE = form.First("scope"), form.First("login_hint"), form.First("pkce") == "on"
	s.Scope, s.Hint = firstRunes(s.Scope, maxPlayScope), firstRunes(s.Hint, maxHint)
	s.renew()
}

// authorize is step 1 as an API caller: the code comes in the answer.
func (p *playground) authorize(r *http.Request, s *play) error {
	req, err := p.request(r.Context(), http.MethodGet, "/authorize?"+p.authorizeQuery(s), "")
	if err != nil {
		return err
	}
	e, body, err := p.send(r, req)
	e.Step = 1
	if err == nil {
		var got struct{ Code, State, Iss, Error string }
		switch json.Unmarshal(body, &got); {
		case e.Status != http.StatusOK || got.Code == "":
			e.Verdict = "refused"
		case got.State != s.AppState || got.Iss != p.h.issuer:
			e.Verdict = "foreign"
		default:
			e.Verdict = "code_json"
			s.Answered = "code=" + url.QueryEscape(got.Code) + "&state=" + url.QueryEscape(got.State) + "&iss=" + url.QueryEscape(got.Iss)
			s.arrived(got.Code)
		}
	}
	s.add(e)
	return err
}

// arrived takes up a code whose state and issuer were right.
func (s *play) arrived(code string) {
	s.Code, s.Redeemed, s.CodeVerifier = code, false, ""
	if s.PKCE {
		s.CodeVerifier = s.Verifier
	}
	s.renew() // each request has its own, used once
}

// callCallback is step 2 as the browser would do it, after an answer in JSON.
func (p *playground) callCallback(r *http.Request, s *play) error {
	req, err := p.request(r.Context(), http.MethodGet, callbackPath+"?"+s.Answered, "")
	if err != nil {
		return err
	}
	e, _, err := p.send(r, req)
	e.Step = 2
	if err == nil {
		e.Verdict = "callback_json"
	}
	s.add(e)
	return err
}

// redeem is step 3.
func (p *playground) redeem(r *http.Request, s *play) error {
	fields := [][2]string{{"grant_type", "authorization_code"}, {"code", s.Code}, {"redirect_uri", p.callback}}
	if s.CodeVerifier != "" {
		fields = append(fields, [2]string{"code_verifier", s.CodeVerifier})
	}
	verdicts := tokenVerdicts{good: "tokens", bad: "refused"}
	if s.Redeemed {
		verdicts.bad = "code_replayed"
	}
	s.Redeemed = true
	return p.tokens(r, s, 3, "/token", fields, verdicts)
}

// refreshToken returns which refresh token an action of step 5 presents, or "".
func (s *play) refreshToken(action string) string {
	back := map[string]int{"refresh": 1, "again": 2, "replay": 3}[action]
	if back == 0 || len(s.Refresh) < back {
		return ""
	}
	return s.Refresh[len(s.Refresh)-back]
}

// refresh is step 5.
func (p *playground) refresh(r *http.Request, s *play, action, token string) error {
	verdicts := map[string]tokenVerdicts{
		"refresh": {good: "refreshed", bad: "refused"},
		"again":   {good: "repeated", bad: "refused"},
		"replay":  {good: "refreshed", bad: "replayed"},
	}[action]
	return p.tokens(r, s, 5, "/refresh", [][2]string{{"grant_type", "refresh_token"}, {"refresh_token", token}}, verdicts)
}

// tokenVerdicts name what an answer with tokens means, and one without.
type tokenVerdicts struct{ good, bad string }

// tokens sends step 3 or 5 in the way that was chosen.
func (p *playground) tokens(r *http.Request, s *play, step int, path string, fields [][2]string, v tokenVerdicts) error {
	id, secret := string(p.h.SandboxApp), p.h.SandboxSecret
	if s.As != asBasic {
		fields = append(fields, [2]string{"client_id", id}, [2]string{"client_secret", secret})
	}
	req, err := p.request(r.Context(), http.MethodPost, path, encodeFields(fields, s.As == asJSON))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if s.As == asJSON {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.As == asBasic {
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
	}
	e, body, err := p.send(r, req)
	e.Step = step
	if err == nil {
		var got struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if json.Unmarshal(body, &got); e.Status == http.StatusOK && got.Access != "" {
			e.Verdict = v.good
			if v.good == "repeated" && got.Refresh != s.refreshToken("refresh") {
				e.Verdict = "refreshed"
			}
			s.gained(got.Access, got.Refresh, step == 3)
		} else {
			e.Verdict = v.bad
		}
	}
	s.add(e)
	return err
}

// encodeFields writes a body with its fields in order.
func encodeFields(fields [][2]string, asJSON bool) string {
	var b strings.Builder
	for i, f := range fields {
		switch {
		case asJSON && i == 0:
			b.WriteString("{")
		case asJSON:
			b.WriteString(",")
		case i > 0:
			b.WriteString("&")
		}
		if !asJSON {
			b.WriteString(f[0] + "=" + url.QueryEscape(f[1]))
			continue
		}
		value, _ := json.Marshal(f[1]) // a string always has JSON
		b.WriteString(`"` + f[0] + `":` + string(value))
	}
	if asJSON {
		b.WriteString("}")
	}
	return b.String()
}

// bearer is step 4, step 6, or a look afterwards whether the token is dead.
func (p *playground) bearer(r *http.Request, s *play, step int, path string) error {
	req, err := p.request(r.Context(), http.MethodGet, path, "")
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Access)
	e, _, err := p.send(r, req)
	e.Step = step
	if err == nil {
		switch {
		case e.Status == http.StatusOK:
			e.Verdict = "info"
		case e.Status == http.StatusNoContent:
			e.Verdict = "invalidated"
		case e.Status == http.StatusUnauthorized:
			e.Verdict = "dead"
		default:
			e.Verdict = "refused"
		}
	}
	s.add(e)
	return err
}

// request makes a request of the app's.
func (p *playground) request(ctx context.Context, method, target, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.h.issuer+target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("Accept", "application/json")
	return req, nil
}
