package node

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tailscale.com/ipn"
	"tailscale.com/tailcfg"
)

// tunnel is a session whose peer does as the test says.
type tunnel struct {
	follows bool
	start   time.Time

	answer func(question int) bool // comes at once
	hear   func(question int) bool // something comes, though no answer
	asked  []time.Duration
	bytes  uint64
	forgot int
}

func (u *tunnel) leads() bool { return !u.follows }

func (u *tunnel) ask(answered func()) {
	u.asked = append(u.asked, time.Since(u.start))
	if u.hear != nil && u.hear(len(u.asked)) {
		u.bytes++
	}
	if u.answer(len(u.asked)) {
		go answered()
	}
}

func (u *tunnel) received() uint64 { return u.bytes }

func (u *tunnel) forget() { u.forgot++ }

func never(int) bool { return false }

func from(nth int) func(int) bool { return func(question int) bool { return question >= nth } }

func TestWake(t *testing.T) {
	for name, c := range map[string]struct {
		tunnel    *tunnel
		questions int
		forgot    int
		first     time.Duration
	}{
		"a session that works":            {tunnel: &tunnel{answer: from(1)}, questions: 1},
		"a session that is dead":          {tunnel: &tunnel{answer: from(2)}, questions: 2, forgot: 1},
		"a peer that is long in coming":   {tunnel: &tunnel{answer: from(5)}, questions: 5, forgot: 4},
		"an answer that is late":          {tunnel: &tunnel{answer: from(3), hear: from(1)}, questions: 3, forgot: 0},
		"the other side leads":            {tunnel: &tunnel{answer: from(1), follows: true}, questions: 1, first: leadTime},
		"a handshake that led to nothing": {tunnel: &tunnel{answer: from(3), hear: func(q int) bool { return q == 1 }}, questions: 3, forgot: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, u := newWaker(), c.tunnel
				u.start = time.Now()
				w.wake("1", u, false)
				w.wake("1", u, false) // changes nothing
				w.done.Wait()
				if len(u.asked) != c.questions || u.forgot != c.forgot || u.asked[0] != c.first || len(w.going) != 0 {
					t.Fatalf("asked at %v, forgot %d times", u.asked, u.forgot)
				}
			})
		})
	}
}

func TestWakeGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := newWaker(), &tunnel{start: time.Now(), answer: never}
		w.wake("1", u, false)
		w.done.Wait()
		if took := time.Since(u.start); took != wakeFor || len(w.going) != 0 {
			t.Fatalf("took %v", took)
		}
		w.wake("1", u, false)
		w.close()
		w.wake("1", u, false)
		if took := time.Since(u.start); took != wakeFor || len(w.going) != 0 {
			t.Fatalf("went on for %v after it was closed", took-wakeFor)
		}
	})
}

func TestWakeOfASessionThatIsLostMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := newWaker(), &tunnel{start: time.Now(), answer: from(4)}
		w.wake("1", u, false)
		const while = 6 * answerWait // after the third question
		time.Sleep(while)
		synctest.Wait()
		if len(u.asked) != 3 {
			t.Fatalf("asked at %v", u.asked)
		}
		w.wake("1", u, true)
		w.done.Wait()
		if len(u.asked) != 4 || u.asked[3] != while {
			t.Fatalf("asked at %v: not at once when the last question was lost", u.asked)
		}
	})
}

func TestSessions(t *testing.T) {
	state := func(s ipn.PeerWireGuardState) ipn.PeerState { return ipn.PeerState{PeerWireGuardState: s} }
	known := sessions{}
	for _, step := range []struct {
		told sessions
		lost []tailcfg.StableNodeID
	}{
		{sessions{"1": state(ipn.PeerWireGuardStateEstablished), "2": state(ipn.PeerWireGuardStateHandshake)}, nil},
		{sessions{"2": state(ipn.PeerWireGuardStateNone), "3": state(ipn.PeerWireGuardStateNone)}, nil},
		{sessions{"1": state(ipn.PeerWireGuardStateNone)}, []tailcfg.StableNodeID{"1"}},
		{sessions{"1": state(ipn.PeerWireGuardStateNone)}, nil},
		{sessions{"1": state(ipn.PeerWireGuardStateEstablished)}, nil},
		{sessions{"1": state(ipn.PeerWireGuardStateExpired)}, nil},
		{sessions{"1": state(ipn.PeerWireGuardStateNone)}, nil},
	} {
		if lost := known.note(step.told); !slices.Equal(lost, step.lost) {
			t.Errorf("%v: lost %v", step.told, lost)
		}
	}
}
