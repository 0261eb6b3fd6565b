package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// span is a length of time as people write it: "90s", "10m", "1h30m" or, in
// whole days, "180d".
type span time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *span) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err == nil && n <= math.MaxInt64/uint64(24*time.Hour) {
			*s = span(n * uint64(24*time.Hour))
			return nil
		}
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a length of time such as 90s, 10m, 12h or 180d", text)
	}
	*s = span(d)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (s span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s span) String() string {
	d := time.Duration(s)
	if d > 0 && d%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// within reports whether a span lies between two bounds.
func (s span) within(setting string, low, high time.Duration) error {
	if d := time.Duration(s); d < low || d > high {
		return mend(fmt.Errorf("%s is %s", setting, s), "choose %s to %s", span(low), span(high))
	}
	return nil
}
