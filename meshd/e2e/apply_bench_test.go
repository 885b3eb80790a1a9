//go:build e2e

package e2e

import (
	"slices"
	"testing"
)

// TestApplyTime tells what an apply costs, kernel included; it asserts nothing
// about time.
func TestApplyTime(t *testing.T) {
	w := newWorld(t)
	h, _ := w.host()
	m := &meshd{t: t, w: w, name: "h1", place: h}
	t.Cleanup(func() { m.kill() })
	m.start()
	a, b := newPlace(t), newPlace(t)
	boxes := map[string]*place{"sbx_a": a, "sbx_b": b}
	m.apply(boxes, nil, nil)
	var grant, withdraw, same []int64
	for range 30 {
		grant = append(grant, m.apply(boxes, []object{outbound("p1", "sbx_a", 8080, toSandbox("sbx_b"))}, nil).Micros)
		withdraw = append(withdraw, m.apply(boxes, nil, nil).Micros)
		same = append(same, m.apply(boxes, nil, nil).Micros)
	}
	for name, all := range map[string][]int64{"grant": grant, "withdraw": withdraw, "nothing": same} {
		slices.Sort(all)
		t.Logf("%s: median %d us, slowest %d us", name, all[len(all)/2], all[len(all)-1])
	}
}
