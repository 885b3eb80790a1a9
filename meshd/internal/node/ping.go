package node

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"tailscale.com/ipn/ipnstate"
	"tailscale.com/tailcfg"
)

const (
	pingCount = 20
	pingPause = 5 * time.Millisecond
	pingWait  = 600 * time.Millisecond // for the last ones

	directWait  = time.Second
	directPause = 100 * time.Millisecond
)

// Pings is how a peer answered a row of packets sent the way of the streams' own.
type Pings struct {
	Sent         int   `json:"sent"`
	Received     int   `json:"received"`
	MedianMicros int64 `json:"medianMicros"`
}

// Ping sends a row of packets to a peer and counts the answers.
func (n *Node) Ping(ctx context.Context, to netip.Addr) *Pings {
	ctx, cancel := context.WithTimeout(ctx, pingCount*pingPause+pingWait)
	defer cancel()
	engine := n.server.Sys().Engine.Get()
	answers := make(chan time.Duration, pingCount)
	ticker := time.NewTicker(pingPause)
	defer ticker.Stop()
	p := &Pings{}
	var took []int64
	for len(took) < pingCount {
		var tick <-chan time.Time
		if p.Sent < pingCount {
			tick = ticker.C
		}
		select {
		case <-tick:
			p.Sent++
			start := time.Now()
			engine.Ping(to, tailcfg.PingTSMP, 0, func(r *ipnstate.PingResult) {
				if r.Err == "" {
					answers <- time.Since(start)
				}
			})
		case a := <-answers:
			took = append(took, a.Microseconds())
		case <-ctx.Done():
			return p.count(took)
		}
	}
	return p.count(took)
}

func (p *Pings) count(took []int64) *Pings {
	p.Received = len(took)
	if len(took) > 0 {
		slices.Sort(took)
		p.MedianMicros = took[len(took)/2]
	}
	return p
}

// AwaitDirect gives a peer that streams go to a moment to find a direct path, and
// returns it as it then is.
func (n *Node) AwaitDirect(ctx context.Context, address netip.Addr) *Peer {
	ctx, cancel := context.WithTimeout(ctx, directWait)
	defer cancel()
	p := n.peerAt(ctx, address)
	for p != nil && p.Path != "direct" && ctx.Err() == nil {
		n.server.Sys().Engine.Get().Ping(address, tailcfg.PingDisco, 0, func(*ipnstate.PingResult) {})
		select {
		case <-ctx.Done():
		case <-time.After(directPause):
			p = n.peerAt(ctx, address)
		}
	}
	return p
}

func (n *Node) peerAt(ctx context.Context, address netip.Addr) *Peer {
	n.refresh(ctx)
	for _, p := range n.Status().Peers {
		if p.address == address {
			return &p
		}
	}
	return nil
}
