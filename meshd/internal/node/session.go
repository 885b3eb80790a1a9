package node

import (
	"net/netip"
	"sync/atomic"

	"tailscale.com/ipn"
	"tailscale.com/ipn/ipnstate"
	"tailscale.com/tailcfg"
	"tailscale.com/wgengine"
)

// wireguard is the session with a peer, as the library's engine has it.
type wireguard struct {
	engine wgengine.Engine
	self   netip.Addr
	peer   Peer
}

func (s wireguard) leads() bool { return s.self.Less(s.peer.address) }

// ask asks through the session and beside it. The second answer tells that the peer
// knows this node's new disco key, and finds the direct path; by itself the library
// tries again only after 5 s, and goes by the relay till then.
func (s wireguard) ask(answered func()) {
	kinds := []tailcfg.PingType{tailcfg.PingTSMP, tailcfg.PingDisco}
	var open atomic.Int32
	open.Store(int32(len(kinds)))
	for _, kind := range kinds {
		s.engine.Ping(s.peer.address, kind, 0, func(r *ipnstate.PingResult) {
			if r.Err == "" && open.Add(-1) == 0 {
				answered()
			}
		})
	}
}

func (s wireguard) received() uint64 {
	p, ok := s.engine.PeerByKey(s.peer.key)
	if !ok || p.LastHandshake().IsZero() {
		return 0
	}
	return p.RxBytes()
}

func (s wireguard) forget() { s.engine.ResetDevicePeer(s.peer.key) }

// wake sees to it that the session with a peer works. lost tells that it has just
// ended here.
func (n *Node) wake(p Peer, lost bool) {
	n.waker.wake(p.NodeID, wireguard{n.server.Sys().Engine.Get(), n.self, p}, lost)
}

// wakeLost wakes a peer whose session has ended here.
func (n *Node) wakeLost(id tailcfg.StableNodeID) {
	for _, p := range n.Status().Peers {
		if p.NodeID == string(id) {
			n.wake(p, true)
		}
	}
}

// wakeAt wakes the peer that has this address.
func (n *Node) wakeAt(address netip.Addr) {
	for _, p := range n.Status().Peers {
		if p.address == address {
			n.wake(p, false)
		}
	}
}

// sessions is how the library's sessions stand, by peer.
type sessions map[tailcfg.StableNodeID]ipn.PeerState

// note enters what the library tells, and returns the peers whose sessions were good
// a moment ago and are gone: the library does so when a peer has been restarted.
func (s sessions) note(told sessions) (lost []tailcfg.StableNodeID) {
	for id, now := range told {
		before := s[id].PeerWireGuardState
		if now.PeerWireGuardState != ipn.PeerWireGuardStateNone {
			s[id] = now
			continue
		}
		delete(s, id)
		if before == ipn.PeerWireGuardStateEstablished {
			lost = append(lost, id)
		}
	}
	return lost
}
