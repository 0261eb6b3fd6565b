package oauth

import (
	"strings"
	"testing"
	"time"
)

// A model of "ended means ended, everywhere" (DESIGN 4), searched through whole:
// every interleaving of what a node that honours tokens does, what the store does
// and what those do who end a connection. The property:
//
//	no request that begins after an answer has said that a connection is over is
//	honoured on any node.
//
// Nodes do not talk to one another, so that each that honours tokens can be looked
// at alone: the model has one (the node), and as many that end as are needed. Each
// step is one that the program makes, and the decisions are the program's own:
// upToDate, moment.since and unsettled are called, not written again. Where the
// steps are in the program:
//
//	a poll begins, its snapshot     Feed.read: began, then the store's statement
//	is taken, it arrives            Feed.readAll: Note for each change, then began is stored
//	a request checks, reads, looks  Engine.bearer: Feed.Fresh, then Feed.Over
//	an ender hears, waits, answers  Engine.Invalidate, Revoke, ended: Note, then Feed.settle
//	a change is numbered, commits   the stores' change.go: under the lock of the feed's row
//
// What needs no step of its own, since any step may be as late as it likes or never
// come: a node that is frozen at any point, also between the check and the look (it
// may honour what it was asked before the answer, which no one can tell from having
// been asked a little earlier; a request after it is checked after it); a node that
// is cut off; an acknowledgement that is late or lost (the caller is then told 503);
// NOTIFY, which makes a poll begin when one may begin anyhow, or is lost.
//
// Time is in ticks. In one, a clock goes on by 10 units, or by 9 or 11 when it runs
// wrong. States hold ages and no times, and ages end where nothing depends on them
// any more, so that the search comes to an end by itself.

// variant is the protocol, or one with something taken out.
type variant struct {
	// upToDate and unsettled are those of age.go.
	upToDate  func(began, now moment, bound time.Duration) bool
	unsettled func(known, now moment, bound time.Duration) time.Duration

	byWall       bool // what is left out of the states is left in: see pass
	ageFromEnd   bool // a reading is as old as its end
	countsFirst  bool // a reading counts before all is noted
	looksFirst   bool // the look at the set comes before the check
	anyReading   bool // whoever finds the feed too old takes the reading that is under way
	waitFromAsk  bool // the wait begins before the commit is known
	secondAtOnce bool // who finds it ended already does not wait
	withoutLock  bool // changes are numbered at any time before the commit
}

func theProtocol() variant {
	return variant{
		upToDate: upToDate,
		unsettled: func(known, now moment, bound time.Duration) time.Duration {
			return unsettled(known.mono, now.mono, bound)
		},
	}
}

// setting is what may happen in one search.
type setting struct {
	name     string
	ticks    int8    // of the bound, by a clock that is right
	rates    [2]int8 // of the node's clock and the enders': units a tick
	second   bool    // there is a second who ends the same connection
	other    bool    // there is another change, of something else
	suspends bool    // machines may be suspended: the monotonic clock stands still
	sets     bool    // wall clocks may be set, forward and back
}

func (s *setting) bound() time.Duration { return time.Duration(s.ticks) * 10 }

// What the states are made of. An age is in units; one of past or more is as good
// as any greater.
type (
	age      struct{ mono, wall int16 }
	pollStep uint8
	askStep  uint8
	enderAt  uint8
	txStep   uint8
)

const (
	noPoll pollStep = iota
	pollBegun
	pollRead  // the snapshot is taken
	pollNoted // its first half is done: see countsFirst
)

const (
	noAsk    askStep = iota
	asked            // after an answer has said that it is over
	passed           // the feed is up to date, or was read since
	reading          // the feed was too old: it is being read for this request
	lookedAt         // only with looksFirst: it was not in the set
)

const (
	idle enderAt = iota
	sent
	waiting
)

const (
	notYet txStep = iota
	numbered
	committed
)

// state is one of the whole.
type state struct {
	// The node that honours tokens.
	everRead bool
	began    age // of the last complete reading
	cursor   int8
	knows    bool
	poll     pollStep
	polled   age  // since it began
	saw      bool // its snapshot has the end
	to       int8 // where the cursor goes with it
	own      bool // it is read for the request
	ask      askStep

	// The store: the end of the connection, and another change. Which has the
	// lower number: 1 the end, 2 the other.
	end, other txStep
	first      int8

	// Those who end it, until one has said so.
	ender    [2]enderAt
	known    [2]age // since it was known, or asked
	answered bool
}

// number is that of a change in the sequence.
func (s *state) number(other bool) int8 {
	if (s.first == 2) == other {
		return 1
	}
	return 2
}

// search is a search through all states.
type search struct {
	variant
	setting
	past    int16
	visited map[state]int32
	states  []visit
	broken  int32 // the state before a request is honoured that must not be
	refused bool  // some request looked and found it over
}

type visit struct {
	state
	from int32
	by   string
}

func (m *search) run() {
	m.past = int16(SettleTime(m.bound())) + 12
	m.visited = make(map[state]int32)
	m.broken = -1
	m.reach(state{}, -1, "at first")
	for i := 0; i < len(m.states) && m.broken < 0 && len(m.states) < tooMany; i++ {
		m.steps(int32(i))
	}
}

// tooMany states are a mistake in the model; they would fill the memory.
const tooMany = 2_000_000

func (m *search) reach(s state, from int32, by string) {
	if _, ok := m.visited[s]; ok {
		return
	}
	m.visited[s] = int32(len(m.states))
	m.states = append(m.states, visit{s, from, by})
}

// steps goes on from a state by everything that may happen next.
func (m *search) steps(i int32) {
	s := m.states[i].state
	m.pass(s, i)
	m.poll(s, i)
	m.request(s, i)
	m.store(s, i)
	m.enders(s, i)
}

// moments turns an age into the two moments that the program goes by.
func (a age) moments() (then, now moment) {
	return moment{mono: -time.Duration(a.mono), wall: -time.Duration(a.wall)}, moment{}
}

// pass lets a tick go by, and sets wall clocks.
func (m *search) pass(s state, i int32) {
	type clocks struct {
		rate  int8
		still bool // suspended
		set   int16
	}
	choices := func(rate int8) []clocks {
		list := []clocks{{rate: rate}}
		if m.suspends {
			list = append(list, clocks{rate: rate, still: true})
		}
		if m.sets {
			list = append(list, clocks{rate: rate, set: m.past}, clocks{rate: rate, set: -m.past})
		}
		return list
	}
	on := func(a *age, c clocks) {
		if !c.still {
			a.mono = min(a.mono+int16(c.rate), m.past)
		}
		a.wall = max(min(a.wall+int16(c.rate)+c.set, m.past), -m.past)
		if !m.byWall {
			a.wall = max(a.wall, a.mono) // the age is the greater of the two
		}
	}
	for _, node := range choices(m.rates[0]) {
		for _, ender := range choices(m.rates[1]) {
			next := s
			if s.everRead {
				on(&next.began, node)
			}
			if s.poll != noPoll {
				on(&next.polled, node)
			}
			for n := range next.ender {
				if s.ender[n] == waiting || s.ender[n] == sent && m.waitFromAsk {
					on(&next.known[n], ender)
					if !m.byWall {
						next.known[n].wall = 0 // no wait goes by it
					}
				}
			}
			by := "a tick"
			switch {
			case node.still || ender.still:
				by = "a tick, with a machine suspended"
			case node.set != 0 || ender.set != 0:
				by = "a tick, and a wall clock is set"
			}
			m.reach(next, i, by)
		}
	}
}

// poll is the node reading the store's changes.
func (m *search) poll(s state, i int32) {
	over := func(next state) state { // no reading is under way
		next.poll, next.polled, next.saw, next.to, next.own = noPoll, age{}, false, 0, false
		return next
	}
	switch s.poll {
	case noPoll:
		next := s
		next.poll = pollBegun
		m.reach(next, i, "a poll begins")
	case pollBegun:
		next := s
		next.poll, next.to = pollRead, s.cursor
		for _, change := range []struct {
			tx    txStep
			other bool
		}{{s.end, false}, {s.other, true}} {
			no := s.number(change.other)
			if change.tx == committed && no > s.cursor {
				next.to = max(next.to, no)
				next.saw = next.saw || !change.other
			}
		}
		by := "its snapshot is taken, without the end"
		if next.saw {
			by = "its snapshot is taken, with the end"
		}
		m.reach(next, i, by)
		m.failed(over(s), s, i)
	case pollRead, pollNoted:
		next := s
		if (s.poll == pollNoted) == m.countsFirst {
			next.knows = s.knows || s.saw
			next.cursor = s.to
		} else {
			next.everRead, next.began = true, s.polled
			if m.ageFromEnd {
				next.began = age{}
			}
		}
		if s.poll == pollRead {
			next.poll = pollNoted
			m.reach(next, i, "it arrives, first half")
			m.failed(over(s), s, i)
			return
		}
		if s.ask == reading {
			next.ask = passed // it was read since the request began, or so it is thought
		}
		m.reach(over(next), i, "it arrives, second half")
	}
}

// failed is a reading that fails or is given up: the request that it was for is
// refused with 503.
func (m *search) failed(next, s state, i int32) {
	if s.ask == reading {
		next.ask = noAsk
	}
	m.reach(next, i, "it fails")
}

// request is a request that begins after the answer.
func (m *search) request(s state, i int32) {
	fresh := func() bool {
		then, now := s.began.moments()
		return s.everRead && m.upToDate(then, now, m.bound())
	}
	next := s
	switch {
	case s.ask == noAsk && s.answered:
		next.ask = asked
		m.reach(next, i, "a request begins")
	case s.ask == asked && m.looksFirst:
		next.ask = lookedAt
		if s.knows {
			next.ask = noAsk
		}
		m.reach(next, i, "it looks")
	case s.ask == lookedAt && fresh():
		m.honoured(i)
	case s.ask == asked && fresh():
		next.ask = passed
		m.reach(next, i, "the feed is up to date")
	case s.ask == asked && s.poll == noPoll:
		next.ask, next.poll, next.own = reading, pollBegun, true
		m.reach(next, i, "the feed is too old, a poll begins for it")
	case s.ask == asked && m.anyReading:
		next.ask = reading
		m.reach(next, i, "the feed is too old, it waits for the poll")
	case s.ask == passed && !s.knows:
		m.honoured(i)
	case s.ask == passed:
		m.refused = true
		next.ask = noAsk
		m.reach(next, i, "it looks, and is refused")
	}
}

func (m *search) honoured(i int32) {
	if m.broken < 0 {
		m.broken = i
	}
}

// store is what becomes of the end, once someone has asked for it, and of the
// other change.
func (m *search) store(s state, i int32) {
	free := func(another txStep) bool { return another != numbered || m.withoutLock }
	next := s
	switch {
	case s.end == notYet && (s.ender[0] != idle || s.ender[1] != idle) && free(s.other):
		next.end = numbered
		if s.first == 0 {
			next.first = 1
		}
		m.reach(next, i, "the end is numbered")
	case s.end == numbered:
		next.end = committed
		m.reach(next, i, "the end is committed")
	}
	next = s
	switch {
	case !m.setting.other:
	case s.other == notYet && free(s.end):
		next.other = numbered
		if s.first == 0 {
			next.first = 2
		}
		m.reach(next, i, "the other change is numbered")
	case s.other == numbered:
		next.other = committed
		m.reach(next, i, "the other change is committed")
	}
}

// enders are those who end the connection. The second is whoever finds it ended
// already, by the store or by its own node's feed.
func (m *search) enders(s state, i int32) {
	if s.answered {
		return // one has said it; what the others do changes nothing any more
	}
	say := func() {
		next := s
		next.answered, next.ender, next.known = true, [2]enderAt{}, [2]age{}
		m.reach(next, i, "it is said to be over")
	}
	for n := range s.ender {
		next := s
		switch {
		case n == 1 && !m.second:
		case s.ender[n] == idle && n == 0:
			next.ender[n] = sent
			m.reach(next, i, "the end is asked for")
		case s.ender[n] == waiting:
			then, now := s.known[n].moments()
			if m.unsettled(then, now, m.bound()) <= 0 {
				say()
			}
		case s.end == committed && n == 1 && m.secondAtOnce:
			say()
		case s.end == committed:
			next.ender[n] = waiting
			m.reach(next, i, [...]string{"the ender knows of the commit", "another knows of the commit"}[n])
		}
	}
}

// trace says how it came to the state.
func (m *search) trace(i int32) string {
	var steps []string
	for ; i > 0; i = m.states[i].from {
		steps = append([]string{m.states[i].by}, steps...)
	}
	return strings.Join(append(steps, "it is honoured"), "; ")
}

// settings are the searches. Large bounds for the rates of clocks, small ones
// where more happens at once.
func settings() []setting {
	right := [2]int8{10, 10}
	list := []setting{
		{name: "two enders and another change", ticks: 4, rates: right, second: true, other: true},
		{name: "suspended machines", ticks: 3, rates: right, second: true, suspends: true},
		{name: "wall clocks that are set", ticks: 2, rates: right, sets: true},
	}
	for _, node := range []int8{9, 11} {
		for _, ender := range []int8{9, 11} {
			list = append(list, setting{name: "clocks", ticks: 10, rates: [2]int8{node, ender}})
		}
	}
	return list
}

func TestEndedEverywhereModel(t *testing.T) {
	all, began := 0, time.Now()
	for _, s := range settings() {
		m := search{variant: theProtocol(), setting: s}
		m.run()
		all += len(m.states)
		t.Logf("%s, rates %v: %d states", s.name, s.rates, len(m.states))
		if len(m.states) >= tooMany {
			t.Fatal("the search does not come to an end")
		}
		if m.broken >= 0 {
			t.Errorf("%s, rates %v: %s", s.name, s.rates, m.trace(m.broken))
		}
		if !m.refused {
			t.Errorf("%s: no request is refused for what is over, so nothing was searched", s.name)
		}
	}
	t.Logf("%d states in %v", all, time.Since(began).Round(time.Millisecond))
	if all < 100_000 {
		t.Errorf("only %d states", all)
	}
}

// Each part of the protocol is needed: with it taken out, the search finds a
// request that is honoured and must not be.
func TestEndedEverywhereModelFindsWhatIsMissing(t *testing.T) {
	waits := func(v *variant, part float64) {
		v.unsettled = func(known, now moment, bound time.Duration) time.Duration {
			return time.Duration(part*float64(bound)) - (now.mono - known.mono)
		}
	}
	const enders, clocks, suspended, set = "two enders and another change", "clocks", "suspended machines", "wall clocks that are set"
	for _, without := range []struct {
		what, in string // and the search that finds it
		take     func(*variant)
	}{
		{"the wait before the answer", enders, func(v *variant) { waits(v, 0) }},
		{"most of the wait", enders, func(v *variant) { waits(v, 0.1) }},
		{"the margin of the wait", enders, func(v *variant) { waits(v, 1) }},
		{"the margin for clocks that run wrong", clocks, func(v *variant) { waits(v, 1.01) }},
		{"a part of that margin", clocks, func(v *variant) { waits(v, 1.2) }},
		{"the bound", enders, func(v *variant) {
			v.upToDate = func(moment, moment, time.Duration) bool { return true }
		}},
		{"the same bound for both", enders, func(v *variant) {
			v.upToDate = func(began, now moment, bound time.Duration) bool { return upToDate(began, now, 2*bound) }
		}},
		{"an age that counts from the beginning", enders, func(v *variant) { v.ageFromEnd = true }},
		{"noting before a reading counts", enders, func(v *variant) { v.countsFirst = true }},
		{"the check before the look", enders, func(v *variant) { v.looksFirst = true }},
		{"a reading of its own", enders, func(v *variant) { v.anyReading = true }},
		{"a wait that begins when the commit is known", enders, func(v *variant) { v.waitFromAsk = true }},
		{"the wait of whoever finds it ended", enders, func(v *variant) { v.secondAtOnce = true }},
		{"numbers that are given out under the lock", enders, func(v *variant) { v.withoutLock = true }},
		{"the wall clock", suspended, func(v *variant) {
			v.upToDate = func(began, now moment, bound time.Duration) bool { return now.mono-began.mono <= bound }
		}},
		{"the monotonic clock", set, func(v *variant) {
			v.byWall, v.upToDate = true, func(began, now moment, bound time.Duration) bool { return now.wall-began.wall <= bound }
		}},
		{"a wait by the monotonic clock", set, func(v *variant) {
			v.byWall, v.unsettled = true, func(known, now moment, bound time.Duration) time.Duration {
				return unsettled(known.wall, now.wall, bound)
			}
		}},
	} {
		v := theProtocol()
		without.take(&v)
		found := ""
		for _, s := range settings() {
			if s.name == without.in && found == "" {
				m := search{variant: v, setting: s}
				if m.run(); m.broken >= 0 {
					found = m.trace(m.broken)
				}
			}
		}
		if found == "" {
			t.Errorf("without %s nothing is honoured that must not be", without.what)
		}
		t.Logf("without %s: %s", without.what, found)
	}
}
