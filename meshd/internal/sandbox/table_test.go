package sandbox

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gstacks/meshd/internal/netns/netnstest"
)

// What a meshd that was killed leaves refuses, and the next one takes over, on
// the same ports.
func TestAnotherMeshdTakesOver(t *testing.T) {
	jail := netnstest.NewJail(t)
	killed := open(t, jail, api)
	oldListener, oldDNS := killed.Ports()
	killed.release() // as for a killed process
	expect(t, jail, api, refused)
	expect(t, jail, worker, refused)
	next := open(t, jail, worker)
	if listener, dns := next.Ports(); listener != oldListener || dns != oldDNS {
		t.Errorf("ports %d %d, before %d %d", listener, dns, oldListener, oldDNS)
	}
	expect(t, jail, api, refused)
	expect(t, jail, worker, reaches(worker))
	if rules := inside(t, jail, "nft", "list", "ruleset"); strings.Count(rules, "dnat") != 3 || strings.Count(rules, "reject") != 2 {
		t.Errorf("rules:\n%s", rules)
	}
}

// within is a command in the jail's network namespace only, with the rights of
// the test.
func within(jail *netnstest.Jail, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", jail.PID), "--"}, args...)...)
}

func inside(t testing.TB, jail *netnstest.Jail, args ...string) string {
	t.Helper()
	out, err := within(jail, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestPortsInUseArePassedOver(t *testing.T) {
	jail := netnstest.NewJail(t)
	first := open(t, jail)
	second := open(t, jail) // the same id: the same ports are tried first
	l1, d1 := first.Ports()
	l2, d2 := second.Ports()
	if l1 == l2 || d1 == d2 || l2 < firstPort || l2 > lastPort {
		t.Errorf("ports %d %d, then %d %d", l1, d1, l2, d2)
	}
}

func TestAFlushedTableIsMadeWholeAgain(t *testing.T) {
	jail := netnstest.NewJail(t)
	s := open(t, jail, api)
	inside(t, jail, "nft", "flush", "ruleset")
	if err := s.Update([]netip.AddrPort{worker}, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, jail, api, reaches(api))
	expect(t, jail, worker, reaches(worker))
	expect(t, jail, netip.MustParseAddrPort("127.64.9.9:1"), refused)
}

func TestManyPairs(t *testing.T) {
	jail := netnstest.NewJail(t)
	pairs := func(from, to int) (all []netip.AddrPort) {
		for i := from; i < to; i++ {
			all = append(all, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 70, byte(i >> 8), byte(i)}), uint16(1+i%5)))
		}
		return all
	}
	started := time.Now()
	s := open(t, jail, pairs(0, 25_000)...)
	t.Logf("opened with 25,000 pairs in %v", time.Since(started))
	last := pairs(24_999, 25_000)[0]
	expect(t, jail, last, reaches(last))
	started = time.Now()
	if err := s.Update(pairs(25_000, 40_000), pairs(0, 24_000)); err != nil {
		t.Fatal(err)
	}
	t.Logf("added 15,000 and removed 24,000 in %v", time.Since(started))
	gone, added := pairs(0, 1)[0], pairs(39_999, 40_000)[0]
	expect(t, jail, gone, refused)
	expect(t, jail, last, reaches(last))
	expect(t, jail, added, reaches(added))
	if listed := strings.Count(inside(t, jail, "nft", "list", "set", "ip", "gstacks", "permitted"), " . "); listed != 16_000+1 {
		t.Errorf("%d lines with pairs", listed) // and the set's type
	}
}
