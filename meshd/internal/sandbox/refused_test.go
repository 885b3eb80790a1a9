package sandbox

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"

	"gstacks/meshd/internal/netns/netnstest"
)

func refusals(t *testing.T, s *Sandbox) []Refused {
	t.Helper()
	all, err := s.Refused()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b Refused) int { return cmp.Or(a.At.Compare(b.At)) })
	return all
}

func TestRefusedConnectionsAreCounted(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail, api)
	if all := refusals(t, s); len(all) != 0 {
		t.Fatal(all)
	}
	elsewhere := netip.AddrPortFrom(api.Addr(), 8081)
	expect(t, jail, api, reaches(api))
	expect(t, jail, worker, refused)
	expect(t, jail, worker, refused)
	expect(t, jail, elsewhere, refused)
	if all := refusals(t, s); !slices.Equal(all, []Refused{{elsewhere, 1}, {worker, 2}}) {
		t.Fatal(all)
	}
	if all := refusals(t, s); len(all) != 0 {
		t.Fatal("told twice:", all)
	}

	// A permit withdrawn counts from then on; a table made whole again, from the beginning.
	if err := s.Update(nil, []netip.AddrPort{api}); err != nil {
		t.Fatal(err)
	}
	expect(t, jail, api, refused)
	expect(t, jail, worker, refused)
	if all := refusals(t, s); !slices.Equal(all, []Refused{{api, 1}, {worker, 1}}) {
		t.Fatal(all)
	}
	inside(t, jail, "nft", "flush", "ruleset")
	if _, err := s.Refused(); err == nil {
		t.Fatal("no error without a table")
	}
	if err := s.Update([]netip.AddrPort{api}, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, jail, worker, refused)
	if all := refusals(t, s); !slices.Equal(all, []Refused{{worker, 1}}) {
		t.Fatal(all)
	}
}

// TestAScanIsBounded: a program that tries every port is refused at each, whether or
// not it can be counted.
func TestAScanIsBounded(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail, api)
	if got := jail.MustRun("python3", "-c", `
import errno, socket
open = 0
for port in range(1, 2001):
    c = socket.socket()
    open += c.connect_ex(("127.64.1.9", port)) != errno.ECONNREFUSED
    c.close()
print(open)
`); got != "0" {
		t.Fatal(got, "connections were not refused")
	}
	if all := refusals(t, s); len(all) != refusedPairs {
		t.Errorf("%d pairs counted", len(all))
	}
	expect(t, jail, api, reaches(api))
}
