package sandbox

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/netns/netnstest"
	"gstacks/meshd/internal/socket"
)

func TestAVisitGoesAProgramsWayAndIsNoStream(t *testing.T) {
	jail := netnstest.NewJail(t)
	streams := make(chan netip.AddrPort, 100)
	s, err := Open(refOf(jail), []netip.AddrPort{api}, exampleZone(t), func(_ string, original netip.AddrPort, c *socket.Conn) {
		streams <- original
		c.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for range 50 {
		if err := s.Enter(t.Context(), api, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Enter(t.Context(), worker, 5*time.Second); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("what is not permitted: %v", err)
	}
	if address, err := s.Resolve(t.Context(), "api.dev.gstacks", 5*time.Second); err != nil || address != api.Addr() {
		t.Errorf("the name resolves to %v: %v", address, err)
	}
	if _, err := s.Resolve(t.Context(), "nothing.gstacks", 5*time.Second); err == nil {
		t.Error("a name that is not there resolves")
	}
	if len(streams) != 0 || s.visits.count.Load() != 0 || len(s.visits.from) != 0 {
		t.Errorf("%d streams, %d visits are left", len(streams), s.visits.count.Load())
	}
	connect(t, jail, api)
	if len(streams) != 1 {
		t.Error("a program's connection is no stream")
	}
}

// Address translation gives the second of these connections another port: the tracked
// remains of the first have it.
func TestAVisitIsKnownWhateverProgramsConnectedBefore(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail, api, worker)
	for range 3 {
		for _, to := range []netip.AddrPort{api, worker} {
			if err := s.enter(t.Context(), 45555, to, time.Second); err != nil {
				t.Fatalf("%v: %v", to, err)
			}
		}
	}
}
