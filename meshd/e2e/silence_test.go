//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sniffer collects the frames on the bridge that do not belong there.
type sniffer struct {
	mu      sync.Mutex
	frames  int
	foreign map[string]int
}

func sniff(t *testing.T, p *place) *sniffer {
	t.Helper()
	var fd int
	everything := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	p.do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(everything))
		return err
	})
	wait := unix.NsecToTimeval(int64(100 * time.Millisecond))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		t.Fatal(err)
	}
	s := &sniffer{foreign: map[string]int{}}
	done, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(done); <-stopped; unix.Close(fd) })
	go func() {
		defer close(stopped)
		frame := make([]byte, 2048)
		for {
			select {
			case <-done:
				return
			default:
			}
			if n, _, err := unix.Recvfrom(fd, frame, 0); err == nil {
				s.look(frame[:n])
			}
		}
	}()
	return s
}

var bridge = netip.MustParsePrefix("10.99.0.0/24")

func (s *sniffer) look(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
	if len(frame) < 42 {
		return
	}
	switch kind := binary.BigEndian.Uint16(frame[12:]); kind {
	case unix.ETH_P_ARP:
		if target := netip.AddrFrom4([4]byte(frame[38:42])); !bridge.Contains(target) {
			s.foreign["asks who has "+target.String()]++
		}
	case unix.ETH_P_IP:
		from, to := netip.AddrFrom4([4]byte(frame[26:30])), netip.AddrFrom4([4]byte(frame[30:34]))
		loopback := from.IsLoopback() && to.IsLoopback()
		if !loopback && (!bridge.Contains(from) || !bridge.Contains(to)) {
			s.foreign[fmt.Sprintf("%v to %v", from, to)]++
		}
	default:
		s.foreign[fmt.Sprintf("ethertype %#x", kind)]++
	}
}

// TestNothingForeignOnTheWire: from the first start to the last byte, hosts speak to
// one another and to nobody else.
func TestNothingForeignOnTheWire(t *testing.T) {
	for _, transport := range []string{"auto", "netstack"} {
		t.Run(transport, func(t *testing.T) {
			w := newWorld(t)
			s := sniff(t, w.hub)
			p := &pair{t: t, w: w, a: newPlace(t), b: newPlace(t)}
			p.m1, p.m2 = w.meshd("h1", transport), w.meshd("h2", transport)
			p.m1.awaitPeer(p.m2)
			p.m2.awaitPeer(p.m1)
			p.b.serve("127.0.0.1:8080", echo)
			p.allow()
			bulk(t, p.a.mustDial(api), 8<<20)
			p.m1.must("leave", object{"network": network}, nil)
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.frames == 0 || len(s.foreign) > 0 {
				t.Fatalf("of %d frames, foreign: %v", s.frames, s.foreign)
			}
			t.Logf("%d frames, none foreign", s.frames)
		})
	}
}

func TestOrderlyStop(t *testing.T) {
	p := newPair(t, "auto", "auto")
	p.b.serve("127.0.0.1:8080", echo)
	p.allow()
	c := p.a.mustDial(api)
	exchange(t, c, "x")
	p.m1.command.Process.Signal(syscall.SIGTERM)
	mustReset(t, "an open stream", c)
	if state, err := p.m1.command.Process.Wait(); err != nil || state.ExitCode() != 0 {
		t.Fatal(state, err)
	}
}
