package bearer

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// RFC9470-3: what the person must have done, and how the others are answered.
func TestStepUp(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	now := f.clock.now().Unix()
	for name, c := range map[string]struct {
		need   SignIn
		claims []any
		want   string // of WWW-Authenticate, behind the description; "" is let in
	}{
		"nothing is demanded":  {SignIn{}, nil, ""},
		"it is the first":      {SignIn{ACR: []string{"2", "phr"}}, []any{"acr", "2"}, ""},
		"it is the second":     {SignIn{ACR: []string{"2", "phr"}}, []any{"acr", "phr"}, ""},
		"it is weaker":         {SignIn{ACR: []string{"2", "phr"}}, []any{"acr", "1"}, `acr_values="2 phr", `},
		"it is another":        {SignIn{ACR: []string{"2"}}, []any{"acr", "phr"}, `acr_values="2", `},
		"it is in part":        {SignIn{ACR: []string{"phrh"}}, []any{"acr", "phr"}, `acr_values="phrh", `},
		"it is not said":       {SignIn{ACR: []string{"2"}}, nil, `acr_values="2", `},
		"it is just lately":    {SignIn{MaxAge: 10 * time.Minute}, []any{"auth_time", now - 660}, ""},
		"it is too long ago":   {SignIn{MaxAge: 10 * time.Minute}, []any{"auth_time", now - 661}, `max_age="600", `},
		"the time is not said": {SignIn{MaxAge: 10 * time.Minute}, []any{"acr", "2"}, `max_age="600", `},
		"both, and one lacks":  {SignIn{ACR: []string{"2"}, MaxAge: time.Second}, []any{"acr", "2", "auth_time", now - 100}, `acr_values="2", max_age="1", `},
	} {
		t.Run(name, func(t *testing.T) {
			reached := false
			h := v.Handler(v.StepUp(c.need, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })), "connect")
			w := serve(h, request("GET", "/", "Authorization: Bearer "+f.jwt(c.claims...)))
			if reached != (c.want == "") {
				t.Fatalf("let in: %v, %d", reached, w.Code)
			}
			if reached {
				return
			}
			got := w.Header().Get("WWW-Authenticate")
			if w.Code != 401 || !strings.HasPrefix(got, `Bearer error="insufficient_user_authentication", error_description="The person `) || !strings.HasSuffix(got, `", `+c.want+where) {
				t.Errorf("%d %s", w.Code, got)
			}
			wantChallenge(t, got)
		})
	}
	t.Run("what is demanded is not changed later", func(t *testing.T) {
		list := []string{"2"}
		h := v.Handler(v.StepUp(SignIn{ACR: list}, http.NotFoundHandler()))
		list[0] = "1"
		if w := serve(h, request("GET", "/", "Authorization: Bearer "+f.jwt("acr", "1"))); w.Code != 401 {
			t.Error(w.Code)
		}
	})
	t.Run("without Handler nobody is let in", func(t *testing.T) {
		if w := serve(v.StepUp(SignIn{}, http.NotFoundHandler()), request("GET", "/")); w.Code != 401 {
			t.Error(w.Code)
		}
	})
	t.Run("a bound token is challenged by its scheme", func(t *testing.T) {
		err := v.CheckSignIn(&Token{Confirmation: Confirmation{Key: "x"}}, SignIn{ACR: []string{"2"}})
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(v.challenge(e), "DPoP ") {
			t.Error(err)
		}
	})
	for name, bad := range map[string]SignIn{
		"no whole seconds": {MaxAge: time.Millisecond}, "negative": {MaxAge: -time.Second}, "empty": {ACR: []string{""}},
		"two in one": {ACR: []string{"2 phr"}}, "a quote": {ACR: []string{`"`}}, "a line": {ACR: []string{"2\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is taken")
				}
			}()
			v.StepUp(bad, http.NotFoundHandler())
		})
	}
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
