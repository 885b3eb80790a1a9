package engine

import "net/netip"

// task is what one sandbox needs of an apply.
type task struct {
	box         *box
	add, remove []netip.AddrPort
	rezone      bool
	reopen      bool
}

// tasks are by sandbox id.
type tasks map[string]*task

// open are the sandboxes to change, shut those to open.
func (t tasks) open() []*box { return t.boxes(func(w *task) bool { return w.box.handle != nil }) }
func (t tasks) shut() []*box { return t.boxes(func(w *task) bool { return w.reopen }) }

func (t tasks) boxes(which func(*task) bool) (out []*box) {
	for _, w := range t {
		if which(w) {
			out = append(out, w.box)
		}
	}
	return out
}

// touch is the sandbox's task, made when needed. A sandbox that is not in the plan
// (yet) gets one that nobody looks at: its permits wait in the state.
func (t tasks) touch(s *state, id string) *task {
	if w := t[id]; w != nil {
		return w
	}
	b := s.sandboxes[id]
	if b == nil {
		return &task{}
	}
	t[id] = &task{box: b}
	return t[id]
}

// plan works out, sandbox by sandbox, what is to be done; it also enters new
// sandboxes into the state and closes those that left or changed their process.
func (e *Engine) plan(d *delta, zones map[string]zone) tasks {
	s, work := e.state, tasks{}
	for _, id := range d.Sandboxes.Remove {
		if b := s.sandboxes[id]; b != nil {
			e.shut(b)
			s.mu.Lock()
			delete(s.sandboxes, id)
			s.mu.Unlock()
		}
	}
	for _, spec := range d.Sandboxes.Upsert {
		rezone := e.enter(spec)
		work.touch(s, spec.ID).rezone = rezone
	}
	for id, b := range s.sandboxes {
		if _, changed := zones[b.spec.Zone]; changed {
			work.touch(s, id).rezone = true
		}
	}
	work.addresses(s, d)
	for id, b := range s.sandboxes {
		if b.handle == nil && b.state != boxGone {
			work.touch(s, id).reopen = true
		}
	}
	return work
}

// enter puts a sandbox into the state, anew when its process is another one, and
// says whether its zone is another one.
func (e *Engine) enter(spec Sandbox) (rezone bool) {
	s := e.state
	b := s.sandboxes[spec.ID]
	same := b != nil && b.spec.PID == spec.PID && b.spec.StartTime == spec.StartTime
	if b != nil && !same {
		e.shut(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !same {
		b = &box{}
		s.sandboxes[spec.ID] = b
	}
	rezone = b.spec.Zone != spec.Zone
	b.spec = spec
	return rezone
}

// addresses works out which addresses each sandbox's kernel set gains and loses.
func (t tasks) addresses(s *state, d *delta) {
	type place struct {
		sandbox string
		at      netip.AddrPort
	}
	moving, wanted := set(d.Outbound.Remove), map[place]bool{}
	for i := range d.Outbound.Upsert {
		o := &d.Outbound.Upsert[i]
		moving[o.ID] = true
		if o.Frozen {
			continue
		}
		wanted[place{o.Sandbox, o.at()}] = true
		if s.routes[o.Sandbox][o.at()] == nil {
			w := t.touch(s, o.Sandbox)
			w.add = append(w.add, o.at())
		}
	}
	for id := range moving {
		o := s.outbound[id]
		if o != nil && s.routes[o.Sandbox][o.at()] == o && !wanted[place{o.Sandbox, o.at()}] {
			w := t.touch(s, o.Sandbox)
			w.remove = append(w.remove, o.at())
		}
	}
}
