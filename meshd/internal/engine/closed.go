package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Stream is a stream that was reset because its permit was withdrawn. Its id is its
// source's, so that both ends of it are known as one.
type Stream struct{ Permit, ID string }

// Closed tells which streams of a network an apply reset: those that began here and
// those that came from other hosts. LastMicros runs from the apply's begin to the end
// of the last. Before is the topology version until then: whoever compares knows
// whether a change of the topology took the permits away, or something here.
type Closed struct {
	Network    string   `json:"network"`
	Before     uint64   `json:"before"`
	Outbound   []string `json:"outbound"`
	Inbound    []string `json:"inbound"`
	LastMicros int64    `json:"lastMicros"`
}

// withdrawn is a permit that is no longer there, or leads elsewhere.
type withdrawn struct {
	permit, network string
	inbound         bool
}

// ending is a withdrawn permit with the streams that rested on it.
type ending struct {
	withdrawn
	streams []string
}

// endings are by permit.
type endings map[string]*ending

// end resets the streams of the permits.
func (e *Engine) end(gone []withdrawn) endings {
	permits, out := make([]string, len(gone)), endings{}
	for i, w := range gone {
		permits[i], out[w.permit] = w.permit, &ending{withdrawn: w}
	}
	for _, s := range e.revoke(permits...) {
		out[s.Permit].streams = append(out[s.Permit].streams, s.ID)
	}
	maps.DeleteFunc(out, func(_ string, e *ending) bool { return len(e.streams) == 0 })
	return out
}

// tell adds to ended what expired permits ended before, once the agent takes those
// permits away: only then can it say by which version. applying is held.
func (e *Engine) tell(ended endings, d delta, whole bool) {
	if len(e.untold) == 0 {
		return
	}
	for i := range d.Outbound.Upsert {
		delete(e.untold, d.Outbound.Upsert[i].ID)
	}
	for i := range d.Inbound.Upsert {
		delete(e.untold, d.Inbound.Upsert[i].ID)
	}
	gone := set(append(slices.Clone(d.Outbound.Remove), d.Inbound.Remove...))
	for id, w := range e.untold {
		if whole || gone[id] {
			ended[id] = w
			delete(e.untold, id)
		}
	}
}

func (e endings) count() (streams int) {
	for _, w := range e {
		streams += len(w.streams)
	}
	return streams
}

func (e endings) byNetwork(versions map[string]uint64, last time.Duration) []Closed {
	by := map[string]*Closed{}
	for _, w := range e {
		c := by[w.network]
		if c == nil {
			c = &Closed{Network: w.network, Before: versions[w.network], Outbound: []string{}, Inbound: []string{}, LastMicros: last.Microseconds()}
			by[w.network] = c
		}
		if w.inbound {
			c.Inbound = append(c.Inbound, w.streams...)
		} else {
			c.Outbound = append(c.Outbound, w.streams...)
		}
	}
	out := make([]Closed, 0, len(by))
	for _, c := range by {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Closed) int { return cmp.Compare(a.Network, b.Network) })
	return out
}
