package engine

import (
	"context"
	"net/netip"
	"time"
)

// WithOutbound calls use with the permit that lets sandbox reach at, and with the
// network's topology version, and says whether there is one. While use runs the
// permit cannot be withdrawn: register the flow there, do nothing that waits.
func (e *Engine) WithOutbound(sandbox string, at netip.AddrPort, use func(*Outbound, uint64)) bool {
	e.state.mu.RLock()
	defer e.state.mu.RUnlock()
	o := e.state.routes[sandbox][at]
	if o == nil || expired(o.ExpiresAt) {
		return false
	}
	use(o, e.state.networks[o.Network])
	return true
}

// WithInbound is WithOutbound for a caller that stands at door.
func (e *Engine) WithInbound(door Door, use func(*Inbound)) bool {
	e.state.mu.RLock()
	defer e.state.mu.RUnlock()
	i := e.state.doors[door]
	if i == nil || expired(i.ExpiresAt) {
		return false
	}
	use(i)
	return true
}

// FindOutbound looks a permit up the way a person names it.
func (e *Engine) FindOutbound(sandbox, network, alias string, port uint16) (permit Outbound, version uint64, ok bool) {
	e.state.mu.RLock()
	defer e.state.mu.RUnlock()
	for _, o := range e.state.routes[sandbox] {
		if o.Network == network && o.Alias == alias && o.Port == port && !expired(o.ExpiresAt) {
			return *o, e.state.networks[network], true
		}
	}
	return Outbound{}, e.state.networks[network], false
}

// Caught waits until the network's topology version is at least version, for a
// source that is ahead, and says whether it is.
func (e *Engine) Caught(ctx context.Context, network string, version uint64, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		e.state.mu.RLock()
		have, changed := e.state.networks[network], e.changed
		e.state.mu.RUnlock()
		if have >= version {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
