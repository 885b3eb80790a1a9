package node

import (
	"context"
	"time"

	"tailscale.com/ipn"
)

const (
	pollEager  = 100 * time.Millisecond // while an online peer is not ready
	pollSteady = 5 * time.Second
	eagerFor   = 15 * time.Second // since the peers last changed
)

// watch keeps the status up to date: at once when the library tells of a change,
// and by asking, because nothing is told when a peer gets its first path.
func (n *Node) watch(ctx context.Context) {
	kick := make(chan struct{}, 1)
	n.done.Go(func() { n.listen(ctx, kick) })
	eager := time.Now().Add(eagerFor)
	for {
		waiting := n.refresh(ctx)
		interval := pollSteady
		if waiting && time.Now().Before(eager) {
			interval = pollEager
		}
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-kick:
			eager = time.Now().Add(eagerFor)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// listen turns the library's notifications into kicks, and its states into ours.
// The library ends a watch that does not keep up; then it is begun again.
func (n *Node) listen(ctx context.Context, kick chan<- struct{}) {
	known := sessions{}
	for ctx.Err() == nil {
		bus, err := n.client.WatchIPNBus(ctx, ipn.NotifyInitialState|ipn.NotifyPeerChanges|ipn.NotifyNoNetMap|ipn.NotifyPeerWireGuardState)
		for err == nil {
			var told ipn.Notify
			if told, err = bus.Next(); err != nil {
				break
			}
			if told.State != nil {
				n.follow(*told.State)
			}
			for _, id := range known.note(told.PeerState) {
				n.wakeLost(id)
			}
			select {
			case kick <- struct{}{}:
			default:
			}
		}
		if bus != nil {
			bus.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// follow notes that the control server has forgotten the node, or knows it again.
func (n *Node) follow(s ipn.State) {
	n.update(func(st *Status) {
		switch {
		case s == ipn.NeedsLogin:
			st.State, st.Error = Failed, ErrNeedsKey.Error()
		case s == ipn.Running && st.State == Failed:
			st.State, st.Error = Up, ""
		}
	})
}

// refresh asks for the peers, and says whether an online one is not ready.
func (n *Node) refresh(ctx context.Context) (waiting bool) {
	asked, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	st, err := n.client.Status(asked)
	if err != nil {
		return false
	}
	peers := peersOf(st)
	woken := n.update(func(s *Status) {
		s.Peers = peers
		if s.State != Failed {
			s.State = readiness(peers)
		}
	})
	if n.resumed {
		for _, p := range woken {
			n.wake(p, false)
		}
	}
	for _, p := range peers {
		waiting = waiting || p.Online && !p.Ready
	}
	return waiting
}
