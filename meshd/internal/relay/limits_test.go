package relay

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	u, now := usages{}, time.Now()
	alias, source := Limit{ID: "a", Name: "alias api", MaxStreams: 2}, Limit{ID: "s", Name: "source web", MaxPerSecond: 3}
	enter := func(want string, limits ...Limit) {
		t.Helper()
		got := ""
		if err := u.enter(limits, now); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	enter("", alias, source)
	enter("", alias, source)
	enter("over the limit of alias api: 2 open streams", alias, source)
	enter("", source) // what one limit refused has not used up the other
	enter("over the limit of source web: 3 new streams a second", source)
	u.leave([]Limit{alias, source}, 1)
	now = now.Add(400 * time.Millisecond) // a third of a second is a token
	enter("", alias, source)
	enter("over the limit of source web: 3 new streams a second", source)
	now = now.Add(time.Hour) // and no more than one second's worth is kept
	for range 3 {
		enter("", source)
	}
	enter("over the limit of source web: 3 new streams a second", source)
	source.MaxPerSecond = 0
	enter("", source)
	alias.MaxStreams = 1 // lowered: those that are open stay, and count
	u.leave([]Limit{alias}, 1)
	enter("over the limit of alias api: 1 open streams", alias)
}

func TestUsagesOfGoneLimitsAreForgotten(t *testing.T) {
	u, now := usages{}, time.Now()
	kept := Limit{ID: "kept", MaxStreams: 5}
	if err := u.enter([]Limit{kept}, now); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * mostUsages {
		l := []Limit{{ID: fmt.Sprint(i), MaxPerSecond: 1}}
		now = now.Add(10 * time.Millisecond)
		if err := u.enter(l, now); err != nil {
			t.Fatal(err)
		}
		u.leave(l, 1)
	}
	if len(u) > 2*mostUsages || u["kept"].open != 1 {
		t.Fatal(len(u), "usages")
	}
}

func TestAFlowOverItsLimitIsResetAndTold(t *testing.T) {
	events := make(chan Event, 4)
	table := NewTable(10, "t", func(e Event) { events <- e })
	info := Info{Permit: "p", Limits: []Limit{{ID: "a", Name: "alias api", MaxStreams: 1}}}
	first, err := table.Open(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	var over *LimitError
	if _, err := table.Open(info, nil); !errors.As(err, &over) {
		t.Fatal(err)
	}
	if e := <-events; e.End != Limited || e.Error != "over the limit of alias api: 1 open streams" {
		t.Fatalf("%+v", e)
	}
	first.Fail(Reset, nil)
	if _, err := table.Open(info, nil); err != nil {
		t.Fatal("the place does not come back:", err)
	}
}

func TestALimitThatComesLaterCountsWhatIsOpen(t *testing.T) {
	table := NewTable(10, "t", func(Event) {})
	alias := Limit{ID: "a", Name: "alias api", MaxStreams: 2}
	open := func(permit string, limits ...Limit) (*Flow, error) {
		return table.Open(Info{Permit: permit, Limits: limits}, nil)
	}
	mustOpen := func(permit string, limits ...Limit) *Flow {
		t.Helper()
		f, err := open(permit, limits...)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second, other := mustOpen("p"), mustOpen("p"), mustOpen("q")
	table.Limit("p", []Limit{alias})
	table.Limit("q", []Limit{alias})
	table.Limit("nothing is open", []Limit{alias})
	if _, err := open("q", alias); err == nil {
		t.Fatal("three were open, and a fourth was let in")
	}
	first.Fail(Reset, nil)
	if _, err := open("p", alias); err == nil {
		t.Fatal("two are open, and a third was let in")
	}
	second.Fail(Reset, nil)
	third := mustOpen("p", alias)

	table.Limit("p", nil)
	mustOpen("q", alias)
	other.Fail(Reset, nil)
	third.Fail(Reset, nil)
	if open := table.usages["a"].open; open != 1 {
		t.Fatal(open, "count under the limit; one of q is open")
	}
}
