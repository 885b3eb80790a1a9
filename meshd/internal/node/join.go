package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"tailscale.com/ipn"
	"tailscale.com/tsnet"
	"tailscale.com/types/logger"
)

// JoinDeadline is how long a join may take.
const JoinDeadline = 30 * time.Second

// Join brings a node up, from its saved state or with the auth key, and returns
// when the control server has let it in.
func Join(ctx context.Context, c Config, log *slog.Logger, hooks Hooks) (*Node, error) {
	if err := useControl(c.ControlURL); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	port, err := fixedPort(c.Dir, c.UDPPort)
	if err != nil {
		return nil, err
	}
	c.UDPPort = port
	ctx, cancel := context.WithTimeoutCause(ctx, JoinDeadline, ErrJoinTimeout)
	defer cancel()
	n, err := start(ctx, c, log, hooks)
	if errors.Is(err, ErrNeedsKey) && c.AuthKey != "" && saved(c.Dir) {
		// The saved identity is not known any more (the node was deleted), and the
		// library ignores a key as long as there is one: begin as a new node.
		if err := forget(c.Dir); err != nil {
			return nil, err
		}
		n, err = start(ctx, c, log, hooks)
	}
	return n, err
}

// start makes the transport and the node on it, and waits until it runs.
func start(ctx context.Context, c Config, log *slog.Logger, hooks Hooks) (*Node, error) {
	n := &Node{config: c, hooks: hooks, log: log.With("network", c.Network), resumed: saved(c.Dir),
		ready: map[netip.Addr]bool{}, changed: make(chan struct{}),
		status: Status{Network: c.Network, State: Starting, UDPPort: c.UDPPort, Peers: []Peer{}}}
	n.server = &tsnet.Server{Dir: c.Dir, Hostname: c.Hostname, AuthKey: c.AuthKey, ControlURL: c.ControlURL, Port: c.UDPPort,
		UserLogf: logger.Discard, Logf: quiet(n.log)}
	n.choose()
	n.hooks.Changed(n.status)

	self, id, err := n.run(ctx)
	if err != nil {
		n.server.Close()
		n.carrier.close()
		return nil, err
	}
	n.self, n.waker = self, newWaker()
	watching, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.update(func(s *Status) { s.State, s.NodeID, s.Address = Up, id, self.String() })
	n.refresh(watching)
	n.done.Go(n.accept)
	n.done.Go(func() { n.watch(watching) })
	return n, nil
}

// choose takes the kernel transport where it can be had, and notes why not.
func (n *Node) choose() {
	if n.config.Transport != kindNetstack {
		k, err := newKernel()
		if err == nil {
			n.carrier, n.server.Tun = k, k.device
			n.status.Transport = kindTUN
			return
		}
		n.status.TransportReason = err.Error()
	}
	n.carrier, n.status.Transport = &userspace{}, kindNetstack
}

// run starts the library's node, waits for the control server's word, and opens
// the stream port.
func (n *Node) run(ctx context.Context) (self netip.Addr, id string, err error) {
	if err := n.server.Start(); err != nil {
		return self, "", err
	}
	if n.client, err = n.server.LocalClient(); err != nil {
		return self, "", err
	}
	if err := n.awaitRunning(ctx); err != nil {
		return self, "", err
	}
	st, err := n.client.Status(ctx)
	if err != nil {
		return self, "", err
	}
	if self = ipv4(st.TailscaleIPs); !self.IsValid() {
		return self, "", errors.New("the control server gave the node no IPv4 address")
	}
	if err := n.carrier.attach(n.server, self); err != nil {
		return self, "", err
	}
	if n.listener, err = n.carrier.listen(); err != nil {
		return self, "", fmt.Errorf("listen for mesh streams: %w", err)
	}
	return self, string(st.Self.ID), nil
}

// awaitRunning follows the library's states. A URL to log in at is what it offers
// when the control server does not know the node and no key was accepted.
func (n *Node) awaitRunning(ctx context.Context) error {
	bus, err := n.client.WatchIPNBus(ctx, ipn.NotifyInitialState)
	if err != nil {
		return err
	}
	defer bus.Close()
	for {
		told, err := bus.Next()
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case told.ErrMessage != nil:
			return errors.New(*told.ErrMessage)
		case told.BrowseToURL != nil && *told.BrowseToURL != "":
			return ErrNeedsKey
		case told.State != nil && *told.State == ipn.Running:
			return nil
		}
	}
}

const stateFile = "tailscaled.state"

func saved(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, stateFile))
	return err == nil
}

// forget deletes the node's identity, and keeps its UDP port.
func forget(dir string) error { return os.Remove(filepath.Join(dir, stateFile)) }
