package relay

import (
	"fmt"
	"time"
)

// Limit bounds the streams of whatever shares its id: how many are open, and how many
// open in a second. 0 is no bound. Name is for people.
type Limit struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	MaxStreams   int    `json:"maxStreams,omitempty"`
	MaxPerSecond int    `json:"maxPerSecond,omitempty"`
}

// LimitError means that a stream more would be over a limit.
type LimitError struct{ reason string }

func (e *LimitError) Error() string { return e.reason }

// usage is what there is of a limit's streams. Rates are token buckets that hold one
// second's worth.
type usage struct {
	open   int
	tokens float64
	filled time.Time
}

// mostUsages is how many are kept before those that nobody uses are looked for.
const mostUsages = 1024

// usages are by limit id; the table's lock is held.
type usages map[string]*usage

// enter counts a stream for all of the limits, or for none.
func (u usages) enter(limits []Limit, now time.Time) error {
	for _, l := range limits {
		of := u.of(l, now)
		switch {
		case l.MaxStreams > 0 && of.open >= l.MaxStreams:
			return &LimitError{fmt.Sprintf("over the limit of %s: %d open streams", l.Name, l.MaxStreams)}
		case l.MaxPerSecond > 0 && of.tokens < 1:
			return &LimitError{fmt.Sprintf("over the limit of %s: %d new streams a second", l.Name, l.MaxPerSecond)}
		}
	}
	for _, l := range limits {
		u[l.ID].open++
		u[l.ID].tokens--
	}
	return nil
}

// leave takes streams back that have entered.
func (u usages) leave(limits []Limit, streams int) {
	for _, l := range limits {
		u[l.ID].open -= streams
	}
}

// join counts streams that were let in before: whatever the limits say, they stay.
func (u usages) join(limits []Limit, streams int, now time.Time) {
	for _, l := range limits {
		u.of(l, now).open += streams
	}
}

// of is the limit's usage, with the tokens that have come since.
func (u usages) of(l Limit, now time.Time) *usage {
	of := u[l.ID]
	if of == nil {
		if len(u) >= mostUsages {
			u.forgetIdle(now)
		}
		of = &usage{tokens: float64(l.MaxPerSecond), filled: now}
		u[l.ID] = of
	}
	of.tokens = min(max(of.tokens, 0)+now.Sub(of.filled).Seconds()*float64(l.MaxPerSecond), float64(l.MaxPerSecond))
	of.filled = now
	return of
}

// forgetIdle drops those that would begin full again anyway.
func (u usages) forgetIdle(now time.Time) {
	for id, of := range u {
		if of.open == 0 && now.Sub(of.filled) >= time.Second {
			delete(u, id)
		}
	}
}
