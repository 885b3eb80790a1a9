package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// parallelSandboxes bounds the namespaces that are worked on at once.
const parallelSandboxes = 8

// enforce brings a checked delta into force, and tells which streams ended, and when
// the last had. What is withdrawn ends at once, with its flows; what is granted is known before the kernel lets it in; and sandboxes
// that have to be opened come last, because nothing else should wait for them.
func (e *Engine) enforce(d delta, zones map[string]zone) (results []SandboxResult, ended endings, at time.Time) {
	s := e.state
	work := e.plan(&d, zones)

	s.mu.Lock()
	maps.Copy(s.zones, zones)
	for _, id := range d.Zones.Remove {
		delete(s.zones, id)
	}
	gone := append(s.withdraw(d), e.grant(d)...)
	s.mu.Unlock()
	ended = e.end(gone)
	at = time.Now()

	e.each(work.open(), func(b *box) { e.update(b, work[b.spec.ID]) })
	e.each(work.shut(), func(b *box) { e.open(b) })

	s.mu.Lock()
	for _, id := range d.Networks.Remove {
		delete(s.networks, id)
	}
	for _, n := range d.Networks.Upsert {
		s.networks[n.ID] = n.TopologyVersion
	}
	close(e.changed)
	e.changed = make(chan struct{})
	results = s.results(work)
	s.mu.Unlock()
	return results, ended, at
}

// grant enters the upserted permits and returns those whose flows lead elsewhere. What
// is open counts under a permit's new limits before another stream is let in.
func (e *Engine) grant(d delta) (gone []withdrawn) {
	s := e.state
	for i := range d.Outbound.Upsert {
		o := &d.Outbound.Upsert[i]
		old := s.outbound[o.ID]
		if old != nil && old.equal(o) {
			continue
		}
		if old != nil && !old.sameWay(o) {
			gone = append(gone, old.withdrawn())
		}
		e.limit(o.ID, o.Limits)
		s.putOutbound(o)
	}
	for i := range d.Inbound.Upsert {
		p := &d.Inbound.Upsert[i]
		old := s.inbound[p.ID]
		if old != nil && old.equal(p) {
			continue
		}
		if old != nil && !old.sameWay(p) {
			gone = append(gone, old.withdrawn())
		}
		e.limit(p.ID, p.Limits)
		s.putInbound(p)
	}
	return gone
}

// withdraw forgets the removed permits and returns those that were there.
func (s *state) withdraw(d delta) (gone []withdrawn) {
	for _, id := range d.Outbound.Remove {
		if o := s.outbound[id]; o != nil {
			s.dropOutbound(id)
			gone = append(gone, o.withdrawn())
		}
	}
	for _, id := range d.Inbound.Remove {
		if p := s.inbound[id]; p != nil {
			s.dropInbound(id)
			gone = append(gone, p.withdrawn())
		}
	}
	return gone
}

// update changes an open sandbox; one that cannot be changed is closed, so that it
// refuses everything, and is opened afresh by the next apply.
func (e *Engine) update(b *box, t *task) {
	if t.rezone {
		b.handle.SetZone(e.state.zones[b.spec.Zone].parsed)
	}
	if len(t.add)+len(t.remove) == 0 {
		return
	}
	if err := b.handle.Update(t.add, t.remove); err != nil {
		e.shut(b)
		e.set(b, nil, boxFailed, err)
	}
}

// each runs fn for all boxes, a few at a time.
func (e *Engine) each(boxes []*box, fn func(*box)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelSandboxes)
	for _, b := range boxes {
		slots <- struct{}{}
		wg.Go(func() { defer func() { <-slots }(); fn(b) })
	}
	wg.Wait()
}

// results reports the sandboxes that were touched and those that are not ready.
func (s *state) results(work tasks) []SandboxResult {
	out := []SandboxResult{}
	for id, b := range s.sandboxes {
		if work[id] == nil && b.state == boxReady {
			continue
		}
		r := SandboxResult{ID: id, OK: b.state == boxReady}
		if b.err != nil {
			r.Error = b.err.Error()
		} else if !r.OK {
			r.Error = "the sandbox is " + b.state
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b SandboxResult) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
