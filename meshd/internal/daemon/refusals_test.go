package daemon

import (
	"strings"
	"testing"

	"gstacks/meshd/internal/engine"
)

func TestRefusalsAreCountedWithinBounds(t *testing.T) {
	var r refusals
	door := engine.Door{Network: "n", Node: "node", Source: "a", Alias: "als", Port: 80}
	r.add(door)
	r.add(door)
	r.add(engine.Door{Source: strings.Repeat("x", longestField+1)})
	if at := r.take(); len(at) != 1 || at[door] != 2 {
		t.Fatal(at)
	}
	for port := range uint16(2 * mostDoors) {
		r.add(engine.Door{Port: port})
	}
	r.add(engine.Door{Port: 1})
	if at := r.take(); len(at) != mostDoors || at[engine.Door{Port: 1}] != 2 {
		t.Fatal(len(at), "doors")
	}
	if at := r.take(); len(at) != 0 {
		t.Fatal("told twice:", at)
	}
}
