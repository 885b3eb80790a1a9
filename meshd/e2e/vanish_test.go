//go:build e2e

package e2e

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// slowly sends a byte there and back while the far meshd pauses for a moment, so that
// the path looks slow to both ends.
func (p *pair) slowly(t *testing.T, c *net.TCPConn) {
	t.Helper()
	p.m2.command.Process.Signal(syscall.SIGSTOP)
	time.AfterFunc(time.Second, func() { p.m2.command.Process.Signal(syscall.SIGCONT) })
	exchange(t, c, "x")
}

// TestVanishedPeerWithDataUnderWay: however slow the path was before, a writer hears
// of the end within 30 s. It used to be a minute and more, on a busy host too.
func TestVanishedPeerWithDataUnderWay(t *testing.T) {
	t.Parallel()
	p := newPair(t, "netstack", "netstack")
	p.b.serve("127.0.0.1:8080", echo)
	p.allow()
	c := p.a.mustDial(api)
	for range 8 {
		p.slowly(t, c)
	}
	p.m2.kill()
	vanished := time.Now()
	c.Write([]byte("x"))
	c.SetReadDeadline(vanished.Add(45 * time.Second))
	_, err := io.ReadAll(c)
	t.Logf("ended after %v", time.Since(vanished).Round(time.Millisecond))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v, want a reset", err)
	}
}
