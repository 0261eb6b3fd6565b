//go:build linux

package main

import (
	"math/bits"
	"time"
)

// subBuckets is how many buckets each power of two is cut into: a quantile is
// at most 1/32 above the truth.
const subBuckets = 32

// histogram counts durations in buckets of fixed place, so that adding one
// costs a few instructions and no memory. The zero value is empty.
type histogram struct {
	counts [59*subBuckets + subBuckets]uint64
	n      uint64
}

// bucket returns the place of a duration of v nanoseconds.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-6, 0)
	return shift*subBuckets + int(v>>shift)
}

// top returns the greatest duration, in nanoseconds, that falls into a bucket.
func top(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i)
	}
	shift := i/subBuckets - 1
	return uint64(i%subBuckets+subBuckets+1)<<shift - 1
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.n++
}

func (h *histogram) merge(other *histogram) {
	for i, c := range other.counts {
		h.counts[i] += c
	}
	h.n += other.n
}

// quantile returns the duration that the fraction q of all durations, from 0
// to 1, do not exceed. It is 0 when there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.n)+0.5), 1)
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			return time.Duration(top(i))
		}
	}
	panic("histogram: the counts do not add up to n")
}
