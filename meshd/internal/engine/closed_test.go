package engine

import (
	"reflect"
	"slices"
	"testing"
)

func TestClosedStreamsAreNamedByNetwork(t *testing.T) {
	r := newRig(t)
	other := inObject("i2", "node", "x", "b")
	other["network"] = "m"
	plan := basePlan(outObject("o1", "a", at1, "b"), outObject("o2", "a", at2, "b"))
	plan["inbound"] = []object{inObject("i1", "node", "x", "b"), other}
	r.must(nil, plan)

	res := r.delta(object{
		"networks": object{"upsert": []object{{"id": "n", "topologyVersion": 8}}},
		"outbound": object{"remove": []string{"o1"}, "upsert": []object{outObject("o2", "a", at2, "c")}},
		"inbound":  object{"remove": []string{"i1", "i2", "unknown"}},
	})
	if res.ClosedFlows != 4 {
		t.Fatalf("%d flows closed", res.ClosedFlows)
	}
	for i := range res.Closed {
		if last := res.Closed[i].LastMicros; last < 0 || last > res.Micros {
			t.Errorf("the last ended after %d of %d us", last, res.Micros)
		}
		res.Closed[i].LastMicros = 0
	}
	want := []Closed{
		{Network: "m", Outbound: []string{}, Inbound: []string{"stream of i2"}},
		{Network: "n", Before: 7, Outbound: []string{"stream of o1", "stream of o2"}, Inbound: []string{"stream of i1"}},
	}
	for _, c := range res.Closed {
		slices.Sort(c.Outbound)
	}
	if !reflect.DeepEqual(res.Closed, want) {
		t.Fatalf("%+v", res.Closed)
	}
	if again := r.delta(remove("outbound", "o1")); len(again.Closed) != 0 {
		t.Fatalf("told twice: %+v", again.Closed)
	}
}

func TestWhatExpiredIsToldWhenThePermitIsTakenAway(t *testing.T) {
	renewed := outObject("o1", "a", at1, "b")
	for name, c := range map[string]struct {
		base   bool
		change object
		told   int
	}{
		"taken away":             {true, remove("outbound", "o1"), 1},
		"something else changes": {true, upsert("outbound", outObject("o2", "a", at2, "b")), 0},
		"renewed":                {true, upsert("outbound", renewed), 0},
		"not in the whole plan":  {false, basePlan(), 1},
		"in the whole plan":      {false, basePlan(renewed), 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.must(nil, basePlan(outObject("o1", "a", at1, "b")))
			r.state.outbound["o1"].ExpiresAt = 1
			r.expire()
			var base any
			if c.base {
				base = r.Generation()
			}
			if res := r.must(base, c.change); res.ClosedFlows != c.told {
				t.Fatalf("%+v", res)
			}
			if res := r.delta(remove("outbound", "o1")); c.told+res.ClosedFlows > 1 {
				t.Fatalf("told twice: %+v", res)
			}
		})
	}
}
