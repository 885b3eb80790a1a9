package engine

import (
	"errors"
	"maps"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/socket"
)

func TestWhatKeepsAndWhatResetsFlows(t *testing.T) {
	base := outObject("o1", "a", at1, "b")
	withRules := maps.Clone(base)
	withRules["rules"] = []string{"r", "s"}
	otherSource := maps.Clone(base)
	otherSource["source"] = "machine"
	for name, c := range map[string]struct {
		change  object
		revoked []string
		target  string
	}{
		"the same":                {upsert("outbound", base), nil, "b"},
		"other rules":             {upsert("outbound", withRules), nil, "b"},
		"other source":            {upsert("outbound", otherSource), []string{"o1"}, "b"},
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

// A developer's machine has no sandboxes: its permits lead to its own loopback, and to
// no other port than the permit says.
func TestAPermitLeadsToTheMachinesOwnLoopback(t *testing.T) {
	program, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	port := uint16(program.Addr().(*net.TCPAddr).Port)
	r := newRig(t)
	r.must(nil, basePlan())
	r.delta(upsert("inbound", toLoopback(inObject("i1", "m", "s", ""), port)))
	reach := func() (conn *socket.Conn, err error) {
		var permit Inbound
		if !r.WithInbound(Door{"n", "m", "s", "api", 80}, func(i *Inbound) { permit = *i }) {
			t.Fatal("no permit")
		}
		return r.Reach(t.Context(), &permit, 10*time.Second)
	}
	c, err := reach()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	r.delta(upsert("inbound", toLoopback(inObject("i1", "m", "s", ""), port+1)))
	if got := r.drained(); !slices.Equal(got, []string{"i1"}) {
		t.Errorf("another port resets the flows: %v", got)
	}
	program.Close()
	r.delta(upsert("inbound", toLoopback(inObject("i1", "m", "s", ""), port)))
	if _, err := reach(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
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

func TestFlowsCountUnderTheNewestLimitsOfTheirPermit(t *testing.T) {
	out, in := outObject("o1", "a", at1, "b"), inObject("i1", "node", "x", "b")
	r := newRig(t)
	r.must(nil, basePlan(out))
	r.delta(upsert("inbound", in))
	limits := []relay.Limit{{ID: "alias", Name: "alias api", MaxStreams: 1}}
	for _, permit := range []object{out, in} {
		permit["limits"] = limits
	}
	r.delta(object{"outbound": object{"upsert": []object{out}}, "inbound": object{"upsert": []object{in}}})
	for _, id := range []string{"o1", "i1"} {
		if got := r.limits[id]; !slices.Equal(got, limits) {
			t.Errorf("%s: %v", id, got)
		}
	}
	if got := r.drained(); got != nil {
		t.Errorf("a limit has reset %v", got)
	}
}
