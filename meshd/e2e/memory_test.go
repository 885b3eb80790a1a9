//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

type memoryStatus struct {
	Flows  int
	Memory struct {
		RSSBytes, HeapBytes int64
		Goroutines          int
	}
}

func (m *meshd) memory() (s memoryStatus) { m.must("status", object{}, &s); return s }

// carried is how many bytes the open flows have moved.
func (m *meshd) carried() (total int64) {
	var l struct {
		Flows []struct{ BytesToTarget, BytesToSource int64 }
	}
	m.must("flows", object{}, &l)
	for _, f := range l.Flows {
		total += f.BytesToTarget + f.BytesToSource
	}
	return total
}

// socketBytes is what the kernel holds in TCP buffers of all namespaces.
func socketBytes(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var a, b, c, d, pages int64
		if _, err := fmt.Sscanf(line, "TCP: inuse %d orphan %d tw %d alloc %d mem %d", &a, &b, &c, &d, &pages); err == nil {
			return pages * int64(os.Getpagesize())
		}
	}
	t.Fatal("no TCP line in sockstat")
	return 0
}

// TestStalledReaders: 200 clients that stop reading cost a bounded amount of
// memory, in meshd and in the kernel, and their streams live on.
func TestStalledReaders(t *testing.T) {
	t.Parallel()
	const streams = 200
	transports(t, func(t *testing.T, p *pair) {
		junk := make([]byte, 1<<20)
		p.b.serve("127.0.0.1:8080", func(c *net.TCPConn) {
			for {
				if _, err := c.Write(junk); err != nil {
					return
				}
			}
		})
		p.allow()
		before := socketBytes(t)
		clients := make([]*net.TCPConn, streams)
		for i := range clients {
			clients[i] = p.a.mustDial(api)
		}
		last := int64(-1)
		settled := time.Now()
		eventually(t, 2*time.Minute, "all streams are stuck", func() bool {
			if now := p.m1.carried() + p.m2.carried(); now != last {
				last, settled = now, time.Now()
			}
			return time.Since(settled) > 2*time.Second
		})
		kernel := socketBytes(t) - before
		one, two := p.m1.memory(), p.m2.memory()
		t.Logf("%d stuck streams: kernel %d MiB, source meshd %d MiB, target meshd %d MiB resident",
			one.Flows, kernel>>20, one.Memory.RSSBytes>>20, two.Memory.RSSBytes>>20)
		if one.Flows != streams || two.Flows != streams {
			t.Errorf("%d and %d flows, want %d", one.Flows, two.Flows, streams)
		}
		for _, m := range []memoryStatus{one, two} {
			if m.Memory.RSSBytes > 400<<20 {
				t.Errorf("a meshd has grown to %d MiB", m.Memory.RSSBytes>>20)
			}
		}
		for i, c := range clients { // each goes on where it stopped
			c.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
	})
}

// TestIdleMemory tells what a meshd and a further network cost.
func TestIdleMemory(t *testing.T) {
	w := newWorld(t)
	h, _ := w.host()
	m := &meshd{t: t, w: w, name: "h1", place: h, transport: "auto"}
	t.Cleanup(func() { m.kill() })
	m.start()
	m.must("trim", object{}, nil)
	bare := m.memory().Memory.RSSBytes
	const networks = 5
	for i := range networks {
		params := m.joinParams()
		params["network"], params["udpPort"] = fmt.Sprintf("net_%d", i), 41650+i
		m.must("join", params, nil)
	}
	m.must("trim", object{}, nil)
	all := m.memory()
	each := (all.Memory.RSSBytes - bare) / networks
	t.Logf("without a network %.1f MiB, %.1f MiB for each of %d, %d goroutines", float64(bare)/(1<<20), float64(each)/(1<<20), networks, all.Memory.Goroutines)
	if bare > 30<<20 || each > 4<<20 {
		t.Errorf("%d bytes without a network, %d for each", bare, each)
	}
}
