package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	dialDeadline = 3 * time.Second
	readyWait    = 2 * time.Second // part of the dial's deadline
	// dialAgain is when another attempt joins one that is not answered. TCP itself
	// repeats a lost SYN after a whole second, and SYNs are lost whenever the peer
	// has just been restarted or the tunnel is full.
	dialAgain = 400 * time.Millisecond
)

// Dial opens a stream to a peer's meshd, with first as its first bytes. A peer
// that is not ready yet is waited for, shortly; one that does not answer at once is
// woken; an address that is no peer's fails, because the library would dial it on the
// host's own network otherwise.
func (n *Node) Dial(ctx context.Context, to netip.Addr, first []byte) (net.Conn, error) {
	if to == n.self {
		return nil, fmt.Errorf("%v is this node itself: the permit should lead to a sandbox", to)
	}
	ctx, cancel := context.WithTimeout(ctx, dialDeadline)
	defer cancel()
	n.awaitReady(ctx, to)
	if !n.server.Sys().Dialer.Get().UseNetstackForIP(to) {
		return nil, fmt.Errorf("%v: %w", to, ErrNotPeer)
	}
	return race(ctx, dialAgain, func(ctx context.Context, again bool) (net.Conn, error) {
		at := netip.AddrPortFrom(to, StreamPort)
		if !again {
			return n.carrier.dial(ctx, at, first)
		}
		n.wakeAt(to)
		// Says nothing before it has won, so that the target sees one stream.
		return n.carrier.dial(ctx, at, nil)
	}, first)
}

// race makes an attempt, and another whenever the last one was not answered within
// pause, and returns the first connection that comes up, having said first. The
// other attempts are given up. An attempt that is refused ends the race.
func race(ctx context.Context, pause time.Duration, attempt func(ctx context.Context, again bool) (net.Conn, error), first []byte) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn  net.Conn
		err   error
		again bool
	}
	results := make(chan result)
	try := func(again bool) {
		c, err := attempt(ctx, again)
		select {
		case results <- result{c, err, again}:
		case <-ctx.Done():
			if c != nil {
				c.Close()
			}
		}
	}
	go try(false)
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case r := <-results:
			if r.err == nil && r.again {
				if _, r.err = r.conn.Write(first); r.err != nil {
					r.conn.Close()
				}
			}
			if r.err != nil {
				return nil, r.err
			}
			return r.conn, nil
		case <-ticker.C:
			go try(true)
		case <-ctx.Done():
			return nil, fmt.Errorf("the peer does not answer: %w", ctx.Err())
		}
	}
}

// awaitReady returns when the peer is ready or when the wait is over: a peer that
// only looks unready is tried all the same.
func (n *Node) awaitReady(ctx context.Context, to netip.Addr) {
	var over <-chan time.Time
	for {
		n.mu.Lock()
		ready, changed := n.ready[to], n.changed
		n.mu.Unlock()
		if ready {
			return
		}
		if over == nil {
			timer := time.NewTimer(readyWait)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-changed:
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}
