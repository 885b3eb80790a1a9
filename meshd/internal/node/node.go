// Package node is a network's mesh node: an embedded tailscale node with its own
// state directory, its own UDP port and, where the privilege is there, its own
// network namespace. It promises that a dial reaches a current peer of that network
// or fails within its deadline, and that nothing else on any network hears of it.
package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/tsnet"
)

var (
	// ErrNotPeer means that an address belongs to no current peer.
	ErrNotPeer = errors.New("not a peer of this network's mesh")
	// ErrNeedsKey means that the control server does not know this node.
	ErrNeedsKey = errors.New("the control server does not know this node; join with an auth key")
	// ErrJoinTimeout means that the control server did not let the node in in time.
	ErrJoinTimeout = errors.New("the node did not come up in time; is the control server reachable?")
)

// Config says what to join.
type Config struct {
	Network    string
	Hostname   string
	ControlURL string
	AuthKey    string
	UDPPort    uint16
	Dir        string
	// Transport is "auto" or "netstack".
	Transport string
}

// Hooks is where a node reports. Changed must not block; Stream owns its connection
// and runs in its own goroutine.
type Hooks struct {
	Changed func(Status)
	Stream  func(n *Node, c net.Conn)
}

// Node is a node that is in its network.
type Node struct {
	config   Config
	hooks    Hooks
	log      *slog.Logger
	server   *tsnet.Server
	client   *local.Client
	carrier  transport
	self     netip.Addr
	listener net.Listener
	stop     context.CancelFunc
	done     sync.WaitGroup
	callers  callers
	waker    *waker
	resumed  bool // came up from saved state: peers may hold sessions that are dead

	mu      sync.Mutex
	status  Status
	ready   map[netip.Addr]bool
	changed chan struct{} // closed when ready changed
}

// Status is the node as it stands.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

// Network is the id of the network that the node is in.
func (n *Node) Network() string { return n.config.Network }

// Chunked tells whether streams over this node need chunks in the direction that
// it sends.
func (n *Node) Chunked() bool { return n.carrier.kind() == kindNetstack }

// Caller is the stable id of the peer behind an accepted stream.
func (n *Node) Caller(ctx context.Context, c net.Conn) (string, error) {
	return n.callers.who(ctx, n.client, c.RemoteAddr())
}

// update enters a new view of the node and tells when it differs. It returns the
// peers that have become ready.
func (n *Node) update(change func(*Status)) (woken []Peer) {
	n.mu.Lock()
	next := n.status
	change(&next)
	if reflect.DeepEqual(next, n.status) {
		n.mu.Unlock()
		return nil
	}
	ready := make(map[netip.Addr]bool, len(next.Peers))
	for _, p := range next.Peers {
		if p.Ready {
			ready[p.address] = true
			if !n.ready[p.address] {
				woken = append(woken, p)
			}
		}
	}
	n.status, n.ready = next, ready
	close(n.changed)
	n.changed = make(chan struct{})
	n.mu.Unlock()
	n.hooks.Changed(next)
	return woken
}

// accept hands streams out; running out of descriptors only slows it down.
func (n *Node) accept() {
	for {
		c, err := n.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			n.log.Warn("cannot take a mesh stream", "error", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go n.hooks.Stream(n, c)
	}
}

// Close leaves the mesh and keeps the node's state on disk.
func (n *Node) Close() {
	n.stop()
	n.listener.Close()
	n.waker.close()
	n.done.Wait() // else the library waits, up to 5 s, for those who ask it
	n.server.Close()
	n.carrier.close()
}
