// Package relay carries flows: it joins two sockets, keeps half-close and reset,
// counts, and can end every flow of a permit at once. It promises that no flow
// outlives its permit, that open flows never exceed the descriptors there are, and
// that a broken transfer never looks like a complete one.
package relay

import (
	"errors"
	"strconv"
	"sync"
)

// ErrLimit means that the budget of open flows is used up.
var ErrLimit = errors.New("too many open flows for this host's descriptor limit; raise LimitNOFILE")

// Table knows every open flow, by permit.
type Table struct {
	budget int
	prefix string
	notify func(Event)

	mu       sync.Mutex
	next     uint64
	open     int
	byPermit map[string]map[*Flow]struct{}
}

// NewTable makes an empty table. prefix makes flow ids unique among processes;
// notify must not block.
func NewTable(budget int, prefix string, notify func(Event)) *Table {
	return &Table{budget: budget, prefix: prefix, notify: notify, byPermit: map[string]map[*Flow]struct{}{}}
}

// Open registers a flow under its permit, with the side that asked for it
// (nil while that one still has to be answered). Call it
// where the permit was looked up, under the same lock, so that a withdrawal cannot
// slip in between. Without budget the side is reset and the end is told.
func (t *Table) Open(info Info, from *Side) (*Flow, error) {
	info.OpenedAt = now()
	if info.Rules == nil {
		info.Rules = []string{}
	}
	t.mu.Lock()
	t.next++
	info.ID = t.prefix + "-" + strconv.FormatUint(t.next, 36)
	f := &Flow{info: info, table: t}
	if from != nil {
		f.sides = append(f.sides, from)
	}
	if t.open >= t.budget {
		t.mu.Unlock()
		f.Fail(Limit, ErrLimit)
		return nil, ErrLimit
	}
	t.open++
	flows := t.byPermit[info.Permit]
	if flows == nil {
		flows = map[*Flow]struct{}{}
		t.byPermit[info.Permit] = flows
	}
	flows[f] = struct{}{}
	t.mu.Unlock()
	return f, nil
}

func (t *Table) remove(f *Flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	flows := t.byPermit[f.info.Permit]
	if _, ok := flows[f]; !ok {
		return
	}
	t.open--
	delete(flows, f)
	if len(flows) == 0 {
		delete(t.byPermit, f.info.Permit)
	}
}

// Revoke resets the flows of the permits and says how many it were.
func (t *Table) Revoke(permits ...string) int {
	t.mu.Lock()
	var victims []*Flow
	for _, id := range permits {
		for f := range t.byPermit[id] {
			victims = append(victims, f)
		}
	}
	t.mu.Unlock()
	for _, f := range victims {
		f.Fail(Revoked, nil)
	}
	return len(victims)
}

// RevokeAll resets every flow.
func (t *Table) RevokeAll() int {
	t.mu.Lock()
	permits := make([]string, 0, len(t.byPermit))
	for id := range t.byPermit {
		permits = append(permits, id)
	}
	t.mu.Unlock()
	return t.Revoke(permits...)
}

// Count is the number of open flows.
func (t *Table) Count() int { t.mu.Lock(); defer t.mu.Unlock(); return t.open }

// List returns at most limit open flows.
func (t *Table) List(limit int) []Record {
	t.mu.Lock()
	flows := make([]*Flow, 0, min(limit, t.open))
collect:
	for _, of := range t.byPermit {
		for f := range of {
			if len(flows) >= limit {
				break collect
			}
			flows = append(flows, f)
		}
	}
	t.mu.Unlock()
	records := make([]Record, len(flows))
	for i, f := range flows {
		records[i] = f.Record()
	}
	return records
}
