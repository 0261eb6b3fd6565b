package oauth

import (
	"strings"
	"sync"

	"github.com/symbolon/symbolon"
)

// seen holds access tokens that were opened lately, since an app shows the same
// one again and again. It saves the opening only: expiry and ending are checked
// each time. A token that could not be opened is never in it, so no stranger can
// fill it.
type seen struct {
	mu     sync.RWMutex
	keys   uint64 // the ring's generation in which all of them were opened
	recent map[string]*symbolon.AccessToken
	older  map[string]*symbolon.AccessToken
}

// maxSeen bounds recent and older each. With longest names and lists of scopes
// a token may take 16 KB; a usual one takes half a kilobyte.
const maxSeen = 4096

// maxSeenLen bounds the tokens that are held, in bytes.
const maxSeenLen = 1024

func newSeen() *seen {
	return &seen{recent: make(map[string]*symbolon.AccessToken)}
}

// find returns the token that text was opened to, which must not be changed, or
// nil.
func (s *seen) find(text string, keys uint64) *symbolon.AccessToken {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.keys != keys {
		return nil
	}
	if token := s.recent[text]; token != nil {
		return token
	}
	return s.older[text]
}

// forget lets go of all of them.
func (s *seen) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent, s.older = make(map[string]*symbolon.AccessToken), nil
}

// keep keeps a token that was opened with the ring of this generation, or an
// earlier one. When recent is full it becomes older, and what was older is
// forgotten.
func (s *seen) keep(text string, token *symbolon.AccessToken, keys uint64) {
	if len(text) > maxSeenLen {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case keys < s.keys:
		return
	case keys > s.keys:
		s.keys, s.older = keys, nil
		clear(s.recent)
	case len(s.recent) >= maxSeen:
		s.older, s.recent = s.recent, make(map[string]*symbolon.AccessToken)
	}
	s.recent[strings.Clone(text)] = token
}
