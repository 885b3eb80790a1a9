package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"tailscale.com/client/local"
)

// callerLife bounds how long an identity is believed after the node left the
// network map.
const callerLife = time.Second

var errGone = errors.New("the mesh stream has ended")

// callers remembers who stands behind a mesh address.
type callers struct {
	mu    sync.Mutex
	known map[netip.Addr]caller
}

type caller struct {
	id    string
	until time.Time
}

// who returns the stable node id behind a stream. All of a network's agents share
// one tailscale user, so nothing else identifies them.
func (c *callers) who(ctx context.Context, client *local.Client, from net.Addr) (string, error) {
	if from == nil { // gVisor forgets the address of a connection that broke
		return "", errGone
	}
	at, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return "", fmt.Errorf("mesh stream from %v: %w", from, err)
	}
	c.mu.Lock()
	known, ok := c.known[at.Addr()]
	c.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.id, nil
	}
	w, err := client.WhoIs(ctx, at.String())
	if err != nil {
		return "", fmt.Errorf("mesh stream from %v: %w", at, err)
	}
	id := string(w.Node.StableID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > 4096 {
		c.known = map[netip.Addr]caller{}
	}
	c.known[at.Addr()] = caller{id, time.Now().Add(callerLife)}
	return id, nil
}
