package engine

import (
	"maps"
	"time"
)

// expiryCheck bounds how long a timer sleeps: timers stand still while a machine
// is suspended, the clock on the wall does not. Lookups check the clock anyway;
// this only limits how long an open flow outlives its permit after a wake-up.
const expiryCheck = 30 * time.Second

// armExpiry sets the timer for the next permit to expire. applying is held.
func (e *Engine) armExpiry() {
	if e.expiry != nil {
		e.expiry.Stop()
		e.expiry = nil
	}
	next := int64(0)
	earlier := func(at int64) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	for _, o := range e.state.outbound {
		earlier(o.ExpiresAt)
	}
	for _, p := range e.state.inbound {
		earlier(p.ExpiresAt)
	}
	if next != 0 {
		e.expiry = time.AfterFunc(min(time.Until(time.UnixMilli(next)), expiryCheck), e.expire)
	}
}

// expire withdraws what has expired, the same way as an apply that removes it.
func (e *Engine) expire() {
	e.applying.Lock()
	defer e.applying.Unlock()
	if e.closed {
		return
	}
	var d delta
	for id, o := range e.state.outbound {
		if expired(o.ExpiresAt) {
			d.Outbound.Remove = append(d.Outbound.Remove, id)
		}
	}
	for id, p := range e.state.inbound {
		if expired(p.ExpiresAt) {
			d.Inbound.Remove = append(d.Inbound.Remove, id)
		}
	}
	if len(d.Outbound.Remove)+len(d.Inbound.Remove) > 0 {
		_, ended, _ := e.enforce(d, nil)
		maps.Copy(e.untold, ended)
	}
	e.armExpiry()
}
