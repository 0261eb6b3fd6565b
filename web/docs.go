package web

import "net/http"

type docs struct{}

func newDocs(string) (*docs, error) { return &docs{}, nil }

func (h *Handler) docsPage(w http.ResponseWriter, r *http.Request, ev *event) error   { return nil }
func (h *Handler) docsErrors(w http.ResponseWriter, r *http.Request, ev *event) error { return nil }
func (h *Handler) openAPI(w http.ResponseWriter, r *http.Request, ev *event) error    { return nil }
