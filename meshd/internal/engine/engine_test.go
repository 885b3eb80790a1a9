package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"gstacks/meshd/internal/dns"
	"gstacks/meshd/internal/sandbox"
)

// fakeBox stands for an open sandbox.
type fakeBox struct {
	mu        sync.Mutex
	permitted map[netip.AddrPort]bool
	fail      error
	gone      chan struct{}
	once      sync.Once
}

func (f *fakeBox) Update(add, remove []netip.AddrPort) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	for _, a := range add {
		f.permitted[a] = true
	}
	for _, r := range remove {
		delete(f.permitted, r)
	}
	return nil
}

func (f *fakeBox) Dial(context.Context, uint16) (*net.TCPConn, error) { return nil, errors.New("fake") }
func (f *fakeBox) SetZone(*dns.Zone)                                  {}
func (f *fakeBox) Ports() (uint16, uint16)                            { return 61000, 61001 }
func (f *fakeBox) Gone() <-chan struct{}                              { return f.gone }
func (f *fakeBox) Close() error                                       { f.once.Do(func() { close(f.gone) }); return nil }

// rig is an engine on fake sandboxes.
type rig struct {
	*Engine
	t       *testing.T
	mu      sync.Mutex
	boxes   map[string]*fakeBox
	broken  map[string]error
	revoked chan []string
	told    chan SandboxStatus
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, boxes: map[string]*fakeBox{}, broken: map[string]error{}, revoked: make(chan []string, 1000), told: make(chan SandboxStatus, 1000)}
	open := func(ref sandbox.Ref, permitted []netip.AddrPort, _ *dns.Zone) (Handle, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := r.broken[ref.ID]; err != nil {
			return nil, err
		}
		b := &fakeBox{permitted: map[netip.AddrPort]bool{}, gone: make(chan struct{})}
		b.Update(permitted, nil)
		r.boxes[ref.ID] = b
		return b, nil
	}
	r.Engine = New(open, func(ids ...string) int {
		if len(ids) > 0 {
			r.revoked <- ids
		}
		return len(ids)
	}, func(s SandboxStatus) { r.told <- s })
	t.Cleanup(r.Close)
	return r
}

func (r *rig) send(base any, plan any) (Result, error) {
	r.t.Helper()
	raw, err := json.Marshal(plan)
	if err != nil {
		r.t.Fatal(err)
	}
	q := Request{Generation: r.Generation() + 1, Plan: raw}
	if b, ok := base.(uint64); ok {
		q.Base = &b
	}
	return r.Apply(q)
}

func (r *rig) must(base any, plan any) Result {
	r.t.Helper()
	res, err := r.send(base, plan)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func (r *rig) delta(plan any) Result { r.t.Helper(); return r.must(r.Generation(), plan) }

// drained returns the permits revoked since the last call.
func (r *rig) drained() (out []string) {
	for {
		select {
		case ids := <-r.revoked:
			out = append(out, ids...)
		default:
			slices.Sort(out)
			return out
		}
	}
}

func (r *rig) permitted(id string) []string {
	r.mu.Lock()
	b := r.boxes[id]
	r.mu.Unlock()
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for a := range b.permitted {
		out = append(out, a.String())
	}
	slices.Sort(out)
	return out
}

func (r *rig) target(sandbox, at string) (target string) {
	r.WithOutbound(sandbox, netip.MustParseAddrPort(at), func(o *Outbound, _ uint64) { target = o.Target.Sandbox + o.Target.Node })
	return target
}

type object = map[string]any

func zoneObject(id string) object { return object{"id": id, "origins": object{}, "names": object{}} }

func boxObject(id string) object { return object{"id": id, "pid": 1, "startTime": 2, "zone": "z"} }

func outObject(id, sandbox, at, to string) object {
	a := netip.MustParseAddrPort(at)
	return object{"id": id, "sandbox": sandbox, "network": "n", "alias": "api", "address": a.Addr(), "port": a.Port(),
		"target": object{"kind": "sandbox", "sandbox": to}, "rules": []string{"r"}}
}

func inObject(id, node, source, to string) object {
	return object{"id": id, "network": "n", "node": node, "source": source, "alias": "api", "port": 80, "sandbox": to, "rules": []string{}}
}

func basePlan(outbound ...object) object {
	return object{"networks": []object{{"id": "n", "topologyVersion": 7}}, "zones": []object{zoneObject("z")},
		"sandboxes": []object{boxObject("a"), boxObject("b")}, "outbound": outbound, "inbound": []object{}}
}

const at1, at2 = "127.64.1.1:80", "127.64.1.2:80"

func upsert(kind string, items ...object) object { return object{kind: object{"upsert": items}} }

func remove(kind string, ids ...string) object { return object{kind: object{"remove": ids}} }

func TestNothingLoadedDenies(t *testing.T) {
	r := newRig(t)
	if r.target("a", at1) != "" || r.WithInbound(Door{"n", "node", "a", "api", 80}, func(*Inbound) {}) {
		t.Fatal("permitted without a plan")
	}
	if r.Caught(t.Context(), "n", 1, time.Millisecond) {
		t.Fatal("an unknown network has a version")
	}
}

func TestWholePlanThenDeltas(t *testing.T) {
	r := newRig(t)
	res := r.must(nil, basePlan(outObject("o1", "a", at1, "b")))
	if len(res.Sandboxes) != 2 || !res.Sandboxes[0].OK {
		t.Fatalf("%+v", res)
	}
	if got := r.permitted("a"); !slices.Equal(got, []string{at1}) || r.target("a", at1) != "b" {
		t.Fatal(got)
	}
	if r.target("b", at1) != "" || r.target("a", at2) != "" {
		t.Fatal("a permit for another")
	}
	r.delta(upsert("outbound", outObject("o2", "a", at2, "b")))
	r.delta(remove("outbound", "o1"))
	if got := r.permitted("a"); !slices.Equal(got, []string{at2}) || r.target("a", at1) != "" {
		t.Fatal(got)
	}
	if got := r.drained(); !slices.Equal(got, []string{"o1"}) {
		t.Fatalf("revoked %v", got)
	}
}

func TestWhatKeepsAndWhatResetsFlows(t *testing.T) {
	base := outObject("o1", "a", at1, "b")
	withRules := maps.Clone(base)
	withRules["rules"] = []string{"r", "s"}
	for name, c := range map[string]struct {
		change  object
		revoked []string
		target  string
	}{
		"the same":                {upsert("outbound", base), nil, "b"},
		"other rules":             {upsert("outbound", withRules), nil, "b"},
		"other target":            {upsert("outbound", outObject("o1", "a", at1, "c")), []string{"o1"}, "c"},
		"other id, same address":  {object{"outbound": object{"upsert": []object{outObject("o9", "a", at1, "b")}, "remove": []string{"o1"}}}, []string{"o1"}, "b"},
		"removed and put at once": {object{"outbound": object{"upsert": []object{base}, "remove": []string{"o1"}}}, nil, "b"},
		"moved away":              {upsert("outbound", outObject("o1", "a", at2, "b")), []string{"o1"}, ""},
		"removed":                 {remove("outbound", "o1"), []string{"o1"}, ""},
		"unknown removed":         {remove("outbound", "o7"), nil, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.must(nil, basePlan(base))
			r.delta(c.change)
			if got := r.drained(); !slices.Equal(got, c.revoked) {
				t.Errorf("revoked %v, want %v", got, c.revoked)
			}
			if got := r.target("a", at1); got != c.target {
				t.Errorf("leads to %q, want %q", got, c.target)
			}
			if in := slices.Contains(r.permitted("a"), at1); in != (c.target != "") {
				t.Errorf("the kernel's set: %v", r.permitted("a"))
			}
		})
	}
}

func TestContradictionsChangeNothing(t *testing.T) {
	for name, change := range map[string]object{
		"two permits for one address": upsert("outbound", outObject("o2", "a", at1, "b")),
		"two new for one address":     upsert("outbound", outObject("o2", "a", at2, "b"), outObject("o3", "a", at2, "b")),
		"address elsewhere":           upsert("outbound", outObject("o2", "a", "10.0.0.1:80", "b")),
		"no target":                   upsert("outbound", outObject("o2", "a", at2, "")),
		"unknown zone":                upsert("sandboxes", object{"id": "c", "pid": 1, "startTime": 1, "zone": "q"}),
		"zone in use removed":         remove("zones", "z"),
		"inbound without node":        upsert("inbound", inObject("i1", "", "a", "b")),
		"two inbound for one door":    upsert("inbound", inObject("i1", "m", "a", "b"), inObject("i2", "m", "a", "b")),
		"no such shape":               {"outbound": 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.must(nil, basePlan(outObject("o1", "a", at1, "b")))
			before := r.Generation()
			_, err := r.send(before, change)
			var plan PlanError
			if !errors.As(err, &plan) {
				t.Fatalf("error %v", err)
			}
			if r.Generation() != before || r.target("a", at1) != "b" || !slices.Equal(r.permitted("a"), []string{at1}) {
				t.Fatal("something changed")
			}
		})
	}
}

func TestDeltaOnAnotherGeneration(t *testing.T) {
	r := newRig(t)
	r.must(nil, basePlan())
	_, err := r.send(uint64(9), object{})
	var mismatch *MismatchError
	if !errors.As(err, &mismatch) || mismatch.Loaded != 1 {
		t.Fatal(err)
	}
}

func TestBrokenSandboxIsAloneAndTriedAgain(t *testing.T) {
	r := newRig(t)
	r.broken["a"] = errors.New("no permission")
	res := r.must(nil, basePlan(outObject("o1", "a", at1, "b"), outObject("o2", "b", at1, "a")))
	if res.Sandboxes[0].OK || res.Sandboxes[0].Error != "no permission" || !res.Sandboxes[1].OK {
		t.Fatalf("%+v", res.Sandboxes)
	}
	delete(r.broken, "a")
	if res := r.delta(object{}); len(res.Sandboxes) != 1 || !res.Sandboxes[0].OK {
		t.Fatalf("%+v", res.Sandboxes)
	}
	if got := r.permitted("a"); !slices.Equal(got, []string{at1}) {
		t.Fatal(got)
	}
	r.boxes["b"].fail = errors.New("netlink")
	if res := r.delta(upsert("outbound", outObject("o3", "b", at2, "a"))); res.Sandboxes[0].OK {
		t.Fatalf("%+v", res.Sandboxes)
	}
	r.delta(object{})
	if got := r.permitted("b"); !slices.Equal(got, []string{at1, at2}) {
		t.Fatal(got)
	}
}

func TestEndOfASandboxIsTold(t *testing.T) {
	r := newRig(t)
	r.must(nil, basePlan())
	r.boxes["a"].Close()
	for s := range r.told {
		if s.ID == "a" && s.State == boxGone {
			break
		}
	}
	if res := r.delta(object{}); len(res.Sandboxes) != 1 || res.Sandboxes[0].OK {
		t.Fatalf("%+v", res.Sandboxes)
	}
	again := boxObject("a")
	again["pid"] = 5
	if res := r.delta(upsert("sandboxes", again)); !res.Sandboxes[0].OK {
		t.Fatalf("%+v", res.Sandboxes)
	}
}

func TestExpiry(t *testing.T) {
	r := newRig(t)
	soon, past := outObject("o1", "a", at1, "b"), outObject("o2", "a", at2, "b")
	soon["expiresAt"] = time.Now().Add(50 * time.Millisecond).UnixMilli()
	past["expiresAt"] = time.Now().Add(-time.Second).UnixMilli()
	r.must(nil, basePlan(soon, past))
	if got := r.permitted("a"); !slices.Equal(got, []string{at1}) {
		t.Fatal(got)
	}
	select {
	case ids := <-r.revoked:
		if !slices.Equal(ids, []string{"o1"}) || r.target("a", at1) != "" {
			t.Fatal(ids)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("never withdrawn")
	}
	later := outObject("o1", "a", at1, "b")
	later["expiresAt"] = time.Now().Add(time.Hour).UnixMilli()
	r.delta(upsert("outbound", later))
	if r.target("a", at1) != "b" {
		t.Fatal("a new term does not count")
	}
}

func TestFrozenPermitsLetNothingNewIn(t *testing.T) {
	r := newRig(t)
	plan := basePlan(outObject("o1", "a", at1, "b"))
	plan["inbound"] = []object{inObject("i1", "m", "x", "a")}
	r.must(nil, plan)
	enters := func() bool { return r.WithInbound(Door{"n", "m", "x", "api", 80}, func(*Inbound) {}) }
	if !enters() {
		t.Fatal("not permitted")
	}
	out, in := outObject("o1", "a", at1, "b"), inObject("i1", "m", "x", "a")
	for _, frozen := range []bool{true, true, false} {
		out["frozen"], in["frozen"] = frozen, frozen
		r.delta(object{"outbound": object{"upsert": []object{out}}, "inbound": object{"upsert": []object{in}}})
		if open := r.target("a", at1) != ""; open == frozen || enters() == frozen || (len(r.permitted("a")) == 0) != frozen {
			t.Fatalf("frozen %v: open %v, the kernel's set %v", frozen, open, r.permitted("a"))
		}
	}
	if got := r.drained(); got != nil {
		t.Fatalf("revoked %v", got)
	}
	out["frozen"] = true
	r.delta(upsert("outbound", out))
	r.delta(remove("outbound", "o1"))
	if got := r.drained(); !slices.Equal(got, []string{"o1"}) {
		t.Fatalf("the withdrawal of a frozen permit revoked %v", got)
	}
}

func TestCaughtWaitsForTheVersion(t *testing.T) {
	r := newRig(t)
	r.must(nil, basePlan())
	if !r.Caught(t.Context(), "n", 7, time.Second) {
		t.Fatal("behind its own version")
	}
	done := make(chan bool)
	go func() { done <- r.Caught(t.Context(), "n", 8, 10*time.Second) }()
	r.delta(upsert("networks", object{"id": "n", "topologyVersion": 8}))
	if !<-done {
		t.Fatal("not told of the new version")
	}
}

// TestDeltasEqualWholePlans: whatever way leads to a plan, the kernel's sets and the
// lookups are those of the plan.
func TestDeltasEqualWholePlans(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r := newRig(t)
	wanted := map[string]object{} // permits by id
	r.must(nil, basePlan())
	for step := range 300 {
		change := map[string]object{}
		var removed []string
		for range 1 + rnd.IntN(4) {
			id := fmt.Sprintf("o%d", rnd.IntN(12))
			at := fmt.Sprintf("127.64.1.%d:80", 1+rnd.IntN(4))
			o := outObject(id, string("ab"[rnd.IntN(2)]), at, string("xy"[rnd.IntN(2)]))
			o["frozen"] = rnd.IntN(4) == 0
			if rnd.IntN(3) == 0 {
				removed = append(removed, id)
			} else {
				change[id] = o
			}
		}
		next := maps.Clone(wanted)
		for _, id := range removed {
			delete(next, id)
		}
		maps.Copy(next, change)
		places := map[string]string{}
		conflict := false
		for id, o := range next {
			if o["frozen"].(bool) {
				continue
			}
			k := fmt.Sprint(o["sandbox"], o["address"])
			conflict = conflict || places[k] != "" && places[k] != id
			places[k] = id
		}
		var err error
		if step%10 == 9 {
			_, err = r.send(nil, basePlan(slices.Collect(maps.Values(next))...))
		} else {
			_, err = r.send(r.Generation(), object{"outbound": object{"upsert": slices.Collect(maps.Values(change)), "remove": removed}})
		}
		if (err != nil) != conflict {
			t.Fatalf("step %d: conflict %v, error %v", step, conflict, err)
		}
		if !conflict {
			wanted = next
		}
		for _, box := range []string{"a", "b"} {
			want := []string{}
			for _, o := range wanted {
				if o["sandbox"] == box && !o["frozen"].(bool) {
					at := fmt.Sprintf("%v:80", o["address"])
					want = append(want, at)
					if got := r.target(box, at); got != o["target"].(object)["sandbox"] {
						t.Fatalf("step %d: %s leads to %q", step, at, got)
					}
				}
			}
			slices.Sort(want)
			if got := r.permitted(box); !slices.Equal(got, want) {
				t.Fatalf("step %d: %s may reach %v, want %v", step, box, got, want)
			}
		}
	}
}
