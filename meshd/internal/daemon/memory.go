package daemon

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"gstacks/meshd/internal/relay"
)

const (
	// A network whose flows carried this much has grown WireGuard's buffers.
	loadBytes = 4 << 20
	// Plans of this many bytes have left garbage worth giving back.
	planBytes = 64 << 10
	// idleAfter is how long it has to be calm before memory is given back.
	idleAfter = 5 * time.Second
)

// memory gives memory back to the system that the Go runtime would keep: a
// network's buffers once it has gone idle after a load, and what many changes of
// the plan have left.
type memory struct {
	mu       sync.Mutex
	networks map[string]*load
	plans    int         // bytes since the last trim
	settled  *time.Timer // for plans
}

// plan notes a change of the plan, by its size.
func (m *memory) plan(bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plans += bytes
	switch {
	case m.plans < planBytes:
	case m.settled == nil:
		m.settled = time.AfterFunc(idleAfter, m.settle)
	default:
		m.settled.Reset(idleAfter)
	}
}

func (m *memory) settle() {
	m.mu.Lock()
	m.plans = 0
	m.mu.Unlock()
	trim()
}

type load struct {
	open  int
	bytes int64
	timer *time.Timer
}

// flow notes a flow event. Flows that never opened carried nothing.
func (m *memory) flow(e relay.Event) {
	if e.Direction == "local" {
		return // spliced: no buffers of this process
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.networks == nil {
		m.networks = map[string]*load{}
	}
	l := m.networks[e.Network]
	if l == nil {
		l = &load{}
		m.networks[e.Network] = l
	}
	if e.Phase == "opened" {
		l.open++
		if l.timer != nil {
			l.timer.Stop()
			l.timer = nil
		}
		return
	}
	l.bytes += e.BytesToTarget + e.BytesToSource
	if e.WasOpen {
		l.open--
	}
	if l.open == 0 && l.bytes >= loadBytes && l.timer == nil {
		l.timer = time.AfterFunc(idleAfter, func() { m.idle(e.Network) })
	}
}

func (m *memory) idle(network string) {
	m.mu.Lock()
	l := m.networks[network]
	due := l.open == 0
	l.timer = nil
	if due {
		delete(m.networks, network)
	}
	m.mu.Unlock()
	if due {
		trim()
	}
}

// trim returns memory to the system. Twice: the first run only empties the pools
// whose content the second one frees.
func trim() {
	debug.FreeOSMemory()
	debug.FreeOSMemory()
}

type memoryFigures struct {
	RSSBytes   int64  `json:"rssBytes"`
	HeapBytes  uint64 `json:"heapBytes"`
	Goroutines int    `json:"goroutines"`
}

func measure() memoryFigures {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memoryFigures{residentBytes(), m.HeapAlloc, runtime.NumGoroutine()}
}

// residentBytes reads the second field of /proc/self/statm, in pages.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
