package node

import (
	"context"
	"net"
	"net/netip"
	"time"

	"tailscale.com/tsnet"
)

// StreamPort is where every meshd takes mesh streams.
const StreamPort = 7000

const (
	kindTUN      = "tun"
	kindNetstack = "netstack"
)

// Keep-alives find a peer that vanished while a stream was idle, within 10 s.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 3}

// transport is all that a node knows of how its TCP is made. attach comes first,
// once the node has its address.
type transport interface {
	kind() string
	attach(s *tsnet.Server, self netip.Addr) error
	listen() (net.Listener, error)
	// dial connects to a peer and sends first, with the SYN where it can. The caller
	// has made sure that it is a peer.
	dial(ctx context.Context, to netip.AddrPort, first []byte) (net.Conn, error)
	close()
}
