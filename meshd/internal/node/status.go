package node

import (
	"cmp"
	"net/netip"
	"slices"

	"tailscale.com/ipn/ipnstate"
	"tailscale.com/types/key"
)

// State is how far a node's join has come.
type State string

const (
	Starting State = "starting" // the control server has not let it in yet
	Up       State = "up"       // in, but no online peer can be reached yet
	Ready    State = "ready"    // in, and a peer can be reached or none is online
	Failed   State = "failed"   // needs a join with a new key, or never came up
)

// Status is a node as the API shows it.
type Status struct {
	Network         string `json:"network"`
	State           State  `json:"state"`
	NodeID          string `json:"nodeId"`
	Address         string `json:"address"`
	Transport       string `json:"transport"`
	TransportReason string `json:"transportReason,omitempty"`
	UDPPort         uint16 `json:"udpPort"`
	Error           string `json:"error,omitempty"`
	Peers           []Peer `json:"peers"`
}

// Peer is another node of the network. Ready means that a dial can succeed at once:
// for about half a second after a peer appears it has no endpoint and no relay, and
// a WireGuard handshake that fails then is retried only 5 s later. Online is what the
// control server thinks; just after its restart it thinks so of nobody, so a known
// path counts without it.
type Peer struct {
	NodeID   string `json:"nodeId"`
	Address  string `json:"address"`
	HostName string `json:"hostName"`
	Online   bool   `json:"online"`
	Ready    bool   `json:"ready"`
	Path     string `json:"path"`
	Endpoint string `json:"endpoint,omitempty"`
	Relay    string `json:"relay,omitempty"`

	address netip.Addr
	key     key.NodePublic
}

func peersOf(st *ipnstate.Status) []Peer {
	peers := make([]Peer, 0, len(st.Peer))
	for _, p := range st.Peer {
		address := ipv4(p.TailscaleIPs)
		if !address.IsValid() {
			continue
		}
		peer := Peer{NodeID: string(p.ID), Address: address.String(), HostName: p.HostName, Online: p.Online,
			Ready: p.Relay != "" || p.CurAddr != "" || len(p.Addrs) > 0,
			Path:  "none", Endpoint: p.CurAddr, Relay: p.Relay, address: address, key: p.PublicKey}
		switch {
		case p.CurAddr != "":
			peer.Path = "direct"
		case p.Relay != "":
			peer.Path = "relay"
		}
		peers = append(peers, peer)
	}
	slices.SortFunc(peers, func(a, b Peer) int { return cmp.Compare(a.NodeID, b.NodeID) })
	return peers
}

// readiness is Ready when some online peer is, or when there is none to wait for.
func readiness(peers []Peer) State {
	online := false
	for _, p := range peers {
		if p.Ready {
			return Ready
		}
		online = online || p.Online
	}
	if online {
		return Up
	}
	return Ready
}

func ipv4(addresses []netip.Addr) netip.Addr {
	for _, a := range addresses {
		if a.Is4() {
			return a
		}
	}
	return netip.Addr{}
}
