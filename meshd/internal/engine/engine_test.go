package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

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
		"inbound to nothing":          upsert("inbound", inObject("i1", "m", "a", "")),
		"inbound to two":              upsert("inbound", toLoopback(inObject("i1", "m", "a", "b"), 80)),
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

func TestLatePlanOfAnOlderConnection(t *testing.T) {
	r := newRig(t)
	r.connection = 2
	r.must(nil, basePlan())
	r.connection = 1
	if _, err := r.send(nil, basePlan(outObject("o1", "a", at1, "b"))); !errors.Is(err, ErrSuperseded) {
		t.Fatal(err)
	}
	if got := r.permitted("a"); len(got) > 0 || r.Generation() != 1 {
		t.Fatal(got, r.Generation())
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
