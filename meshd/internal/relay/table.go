// Package relay carries flows: it joins two sockets, keeps half-close and reset,
// counts, and can end every flow of a permit at once. It promises that no flow
// outlives its permit, that open flows never exceed the descriptors there are, and
// that a broken transfer never looks like a complete one.
package relay

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
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
	byPermit map[string]*permitted
	usages   usages
}

// permitted are the open flows of one permit, and the limits that they count under.
type permitted struct {
	flows  map[*Flow]struct{}
	limits []Limit
}

// NewTable makes an empty table. prefix makes flow ids unique among processes;
// notify must not block.
func NewTable(budget int, prefix string, notify func(Event)) *Table {
	return &Table{budget: budget, prefix: prefix, notify: notify, byPermit: map[string]*permitted{}, usages: usages{}}
}

// Open registers a flow under its permit, with the side that asked for it
// (nil while that one still has to be answered). Call it
// where the permit was looked up, under the same lock, so that a withdrawal cannot
// slip in between. Without budget, or over a limit, the side is reset and the end is told.
func (t *Table) Open(info Info, from *Side) (*Flow, error) {
	arrived := time.Now()
	info.OpenedAt = arrived.UnixMilli()
	if info.Rules == nil {
		info.Rules = []string{}
	}
	t.mu.Lock()
	t.next++
	info.ID = t.prefix + "-" + strconv.FormatUint(t.next, 36)
	if info.Stream == "" {
		info.Stream = info.ID
	}
	f := &Flow{info: info, table: t, arrived: arrived, toTarget: meter{arrived: arrived}, toSource: meter{arrived: arrived}}
	if from != nil {
		f.sides = append(f.sides, from)
	}
	err := ErrLimit
	if t.open < t.budget {
		t.limit(info.Permit, info.Limits, arrived)
		err = t.usages.enter(info.Limits, arrived)
	}
	if err != nil {
		t.mu.Unlock()
		f.Fail(Limited, err)
		return nil, err
	}
	t.open++
	of := t.byPermit[info.Permit]
	if of == nil {
		of = &permitted{map[*Flow]struct{}{}, info.Limits}
		t.byPermit[info.Permit] = of
	}
	of.flows[f] = struct{}{}
	t.mu.Unlock()
	return f, nil
}

func (t *Table) remove(f *Flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.byPermit[f.info.Permit]
	if of == nil {
		return
	}
	if _, ok := of.flows[f]; !ok {
		return
	}
	t.open--
	t.usages.leave(of.limits, 1)
	delete(of.flows, f)
	if len(of.flows) == 0 {
		delete(t.byPermit, f.info.Permit)
	}
}

// Limit has the open flows of a permit count under these limits from now on, in
// place of those before, however many they are: none is reset.
func (t *Table) Limit(permit string, limits []Limit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit(permit, limits, time.Now())
}

func (t *Table) limit(permit string, limits []Limit, now time.Time) {
	of := t.byPermit[permit]
	if of == nil || slices.Equal(of.limits, limits) {
		return
	}
	t.usages.leave(of.limits, len(of.flows))
	t.usages.join(limits, len(of.flows), now)
	of.limits = limits
}

// parallelResets bounds the flows that are reset at once: a chunked side whose peer
// does not read takes its time, and nobody else is to wait for it.
const parallelResets = 1024

// Revoke resets the flows of the permits and says which it ended: not those that
// something else ended at the same time.
func (t *Table) Revoke(permits ...string) []Info { return t.reset(Revoked, permits) }

func (t *Table) reset(as End, permits []string) []Info {
	t.mu.Lock()
	var victims []*Flow
	for _, id := range permits {
		if of := t.byPermit[id]; of != nil {
			victims = slices.AppendSeq(victims, maps.Keys(of.flows))
		}
	}
	t.mu.Unlock()
	ended := make([]bool, len(victims))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelResets)
	for i, f := range victims {
		slots <- struct{}{}
		wg.Go(func() { defer func() { <-slots }(); ended[i] = f.Fail(as, nil) })
	}
	wg.Wait()
	infos := make([]Info, 0, len(victims))
	for i, f := range victims {
		if ended[i] {
			infos = append(infos, f.info)
		}
	}
	return infos
}

// Stop resets every flow, because its meshd ends.
func (t *Table) Stop() []Info {
	t.mu.Lock()
	permits := make([]string, 0, len(t.byPermit))
	for id := range t.byPermit {
		permits = append(permits, id)
	}
	t.mu.Unlock()
	return t.reset(Stopped, permits)
}

// Count is the number of open flows.
func (t *Table) Count() int { t.mu.Lock(); defer t.mu.Unlock(); return t.open }

// List returns at most limit open flows.
func (t *Table) List(limit int) []Record {
	t.mu.Lock()
	flows := make([]*Flow, 0, min(limit, t.open))
collect:
	for _, of := range t.byPermit {
		for f := range of.flows {
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

// Opened are the open flows of one permit: how many, when the oldest of them
// opened, and what is known of the newest.
type Opened struct {
	Info
	FirstOpenedAt int64 `json:"firstOpenedAt"`
	Count         int   `json:"count"`
}

// Counts tells of at most limit permits, and how many flows are open under the others.
func (t *Table) Counts(limit int) (counts []Opened, left int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts = make([]Opened, 0, min(limit, len(t.byPermit)))
	for _, of := range t.byPermit {
		if len(counts) >= limit {
			left += len(of.flows)
			continue
		}
		one := Opened{FirstOpenedAt: math.MaxInt64, Count: len(of.flows)}
		for f := range of.flows {
			one.FirstOpenedAt = min(one.FirstOpenedAt, f.info.OpenedAt)
			if f.info.OpenedAt >= one.OpenedAt {
				one.Info = f.info
			}
		}
		counts = append(counts, one)
	}
	return counts, left
}
