package node

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tailscale.com/ipn/ipnstate"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

func TestPeers(t *testing.T) {
	address := []netip.Addr{netip.MustParseAddr("fd7a::1"), netip.MustParseAddr("100.64.0.2")}
	for name, c := range map[string]struct {
		status ipnstate.PeerStatus
		ready  bool
		path   string
	}{
		"just seen":              {ipnstate.PeerStatus{Online: true}, false, "none"},
		"with a relay":           {ipnstate.PeerStatus{Online: true, Relay: "gs"}, true, "relay"},
		"with an endpoint":       {ipnstate.PeerStatus{Online: true, Addrs: []string{"10.0.0.1:1"}}, true, "none"},
		"direct":                 {ipnstate.PeerStatus{Online: true, Relay: "gs", CurAddr: "10.0.0.1:1"}, true, "direct"},
		"offline, with a relay":  {ipnstate.PeerStatus{Relay: "gs"}, true, "relay"},
		"offline, still reached": {ipnstate.PeerStatus{CurAddr: "10.0.0.1:1"}, true, "direct"},
	} {
		p := c.status
		p.ID, p.TailscaleIPs = tailcfg.StableNodeID("7"), address
		peers := peersOf(&ipnstate.Status{Peer: map[key.NodePublic]*ipnstate.PeerStatus{{}: &p}})
		if len(peers) != 1 || peers[0].Ready != c.ready || peers[0].Path != c.path || peers[0].Address != "100.64.0.2" {
			t.Errorf("%s: %+v", name, peers)
		}
	}
}

func TestReadiness(t *testing.T) {
	for _, c := range []struct {
		peers []Peer
		want  State
	}{
		{nil, Ready},
		{[]Peer{{Online: false}}, Ready},
		{[]Peer{{Online: true}}, Up},
		{[]Peer{{Online: true}, {Online: true, Ready: true}}, Ready},
	} {
		if got := readiness(c.peers); got != c.want {
			t.Errorf("%+v: %s, want %s", c.peers, got, c.want)
		}
	}
}

func TestUpdateTellsWhoBecameReady(t *testing.T) {
	told := 0
	n := &Node{hooks: Hooks{Changed: func(Status) { told++ }}, changed: make(chan struct{})}
	see := func(peers ...Peer) []Peer { return n.update(func(s *Status) { s.Peers = peers }) }
	one := Peer{NodeID: "1", Ready: true, address: netip.MustParseAddr("100.64.0.1")}
	two := Peer{NodeID: "2", address: netip.MustParseAddr("100.64.0.2")}
	if got := see(one, two); !slices.Equal(got, []Peer{one}) {
		t.Fatal(got)
	}
	if got := see(one, two); got != nil || told != 1 {
		t.Fatalf("%v, told %d times of the same", got, told)
	}
	waiting := n.changed
	two.Ready = true
	if got := see(one, two); !slices.Equal(got, []Peer{two}) {
		t.Fatal(got)
	}
	select {
	case <-waiting:
	default:
		t.Fatal("a waiting dial was not told")
	}
}

func TestFixedPort(t *testing.T) {
	dir := t.TempDir()
	if p, err := fixedPort(dir, 41641); p != 41641 || err != nil {
		t.Fatal(p, err)
	}
	first, err := fixedPort(dir, 0)
	if err != nil || first == 0 {
		t.Fatal(first, err)
	}
	if again, err := fixedPort(dir, 0); again != first || err != nil {
		t.Fatalf("%d, then %d, %v", first, again, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "udp-port"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := fixedPort(dir, 0); p == 0 || err != nil {
		t.Fatal(p, err)
	}
}

func TestControlURL(t *testing.T) {
	for raw, ok := range map[string]bool{
		"": false, "10.0.0.1:8080": false, "ftp://10.0.0.1": false, "http://": false, "http://10.0.0.1:8080": true, "http://10.0.0.2": true,
	} {
		if err := useControl(raw); (err == nil) != ok {
			t.Errorf("%q: %v", raw, err)
		}
	}
	if err := useControl("https://10.0.0.1"); err == nil {
		t.Error("a second scheme in one process")
	}
}
