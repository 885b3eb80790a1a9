package relay

import (
	"sync/atomic"
	"time"
)

// meter counts the bytes of one direction, and remembers how long after the flow's
// arrival the first ones had passed.
type meter struct {
	arrived time.Time
	bytes   atomic.Int64
	first   atomic.Int64 // in microseconds; 0 before
}

func (m *meter) add(n int) {
	if n > 0 && m.bytes.Add(int64(n)) == int64(n) {
		m.first.Store(max(time.Since(m.arrived).Microseconds(), 1))
	}
}
