package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// parallelSandboxes bounds the namespaces that are worked on at once.
const parallelSandboxes = 8

// enforce brings a checked delta into force. What is withdrawn ends at once, with
// its flows; what is granted is known before the kernel lets it in; and sandboxes
// that have to be opened come last, because nothing else should wait for them.
func (e *Engine) enforce(d delta, zones map[string]zone) (results []SandboxResult, closed int) {
	s := e.state
	work := e.plan(&d, zones)

	s.mu.Lock()
	maps.Copy(s.zones, zones)
	for _, id := range d.Zones.Remove {
		delete(s.zones, id)
	}
	revoked := append(s.withdraw(d), s.grant(d)...)
	s.mu.Unlock()
	closed = e.revoke(revoked...)

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
	return results, closed
}

// grant enters the upserted permits and returns those whose flows lead elsewhere.
func (s *state) grant(d delta) (revoked []string) {
	for i := range d.Outbound.Upsert {
		o := &d.Outbound.Upsert[i]
		old := s.outbound[o.ID]
		if old != nil && old.equal(o) {
			continue
		}
		if old != nil && !old.sameWay(o) {
			revoked = append(revoked, o.ID)
		}
		s.putOutbound(o)
	}
	for i := range d.Inbound.Upsert {
		p := &d.Inbound.Upsert[i]
		old := s.inbound[p.ID]
		if old != nil && old.equal(p) {
			continue
		}
		if old != nil && !old.sameWay(p) {
			revoked = append(revoked, p.ID)
		}
		s.putInbound(p)
	}
	return revoked
}

// withdraw forgets the removed permits and returns those that were there.
func (s *state) withdraw(d delta) (revoked []string) {
	for _, id := range d.Outbound.Remove {
		if s.outbound[id] != nil {
			s.dropOutbound(id)
			revoked = append(revoked, id)
		}
	}
	for _, id := range d.Inbound.Remove {
		if s.inbound[id] != nil {
			s.dropInbound(id)
			revoked = append(revoked, id)
		}
	}
	return revoked
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
