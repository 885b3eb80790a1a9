package relay

import (
	"cmp"
	"slices"
	"testing"
)

func TestCountsAreExactAndBoundedByPermits(t *testing.T) {
	table := NewTable(100, "f", func(Event) {})
	for i, permit := range []string{"a", "b", "b", "b"} {
		if _, err := table.Open(Info{Permit: permit, Source: "web", Port: uint16(80 + i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	counts, left := table.Counts(10)
	slices.SortFunc(counts, func(a, b Opened) int { return cmp.Compare(a.Count, b.Count) })
	if len(counts) != 2 || left != 0 || counts[0].Count != 1 || counts[1].Count != 3 || counts[1].Permit != "b" || counts[1].Source != "web" {
		t.Fatalf("counts %+v, %d left", counts, left)
	}
	if first := counts[1].FirstOpenedAt; first == 0 || first > counts[1].OpenedAt {
		t.Fatalf("the first opened at %d, the newest at %d", first, counts[1].OpenedAt)
	}
	told, left := table.Counts(1)
	if len(told) != 1 || told[0].Count+left != table.Count() {
		t.Fatalf("told %+v, %d left of %d", told, left, table.Count())
	}
}
