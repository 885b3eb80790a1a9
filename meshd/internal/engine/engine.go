package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"gstacks/meshd/internal/relay"
)

// ErrUnknownSandbox means that no sandbox of that id is in the plan.
var ErrUnknownSandbox = errors.New("no such sandbox is loaded")

// MismatchError means that a delta's base is not the generation that is loaded.
type MismatchError struct{ Loaded uint64 }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("generation %d is loaded, not the delta's base; send the whole plan", e.Loaded)
}

// ErrSuperseded means that a plan came over an older connection than the one in
// force: its sender is gone, or somebody has taken its place.
var ErrSuperseded = errors.New("a newer connection has brought a plan meanwhile")

// PlanError means that a plan contradicts itself; nothing of it was applied.
type PlanError struct{ error }

func (e PlanError) Unwrap() error { return e.error }

// Engine applies plans. The zero generation is "nothing loaded", which denies all.
type Engine struct {
	opener Opener
	revoke func(permits ...string) []Stream // resets the flows of permits, says which
	limit  func(permit string, limits []relay.Limit)
	notify func(SandboxStatus)

	applying   sync.Mutex // one apply, expiry or sandbox's end at a time
	state      *state
	changed    chan struct{} // closed when a topology version changed; under state.mu
	generation uint64        // under state.mu
	connection uint64        // that the plan in force came over; under applying
	expiry     *time.Timer   // under applying
	untold     endings       // by permits that expired here; under applying
	closed     bool          // under applying
}

// New makes an engine with nothing loaded. limit has the open flows of a permit count
// under other limits; it and notify must not block.
func New(opener Opener, revoke func(...string) []Stream, limit func(string, []relay.Limit), notify func(SandboxStatus)) *Engine {
	return &Engine{opener: opener, revoke: revoke, limit: limit, notify: notify, state: newState(), changed: make(chan struct{}), untold: endings{}}
}

// Generation is the plan's that is in force, 0 before the first.
func (e *Engine) Generation() uint64 {
	e.state.mu.RLock()
	defer e.state.mu.RUnlock()
	return e.generation
}

// Result is what an apply did.
type Result struct {
	Generation  uint64          `json:"generation"`
	Micros      int64           `json:"micros"`
	Sandboxes   []SandboxResult `json:"sandboxes"`
	ClosedFlows int             `json:"closedFlows"`
	Closed      []Closed        `json:"closed"`
}

// SandboxResult tells of one sandbox that the apply touched or that is not ready.
type SandboxResult struct {
	ID    string `json:"id"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Apply brings the plan into force. It fails with *MismatchError, PlanError or
// ErrSuperseded, and has then changed nothing. Later connections have higher
// numbers: what waited here for its turn while its sender died must not replace
// what the sender's successor has brought, and give back what that took away.
func (e *Engine) Apply(connection uint64, r Request) (Result, error) {
	start := time.Now()
	e.applying.Lock()
	defer e.applying.Unlock()
	if e.closed {
		return Result{}, errors.New("meshd is stopping")
	}
	if connection < e.connection {
		return Result{}, ErrSuperseded
	}
	d, err := e.decode(r)
	if err != nil {
		return Result{}, err
	}
	zones, err := e.state.check(&d)
	if err != nil {
		return Result{}, PlanError{err}
	}
	e.connection = connection
	versions := maps.Clone(e.state.networks)
	sandboxes, ended, at := e.enforce(d, zones)
	e.tell(ended, d, r.Base == nil)
	e.state.mu.Lock()
	e.generation = r.Generation
	e.state.mu.Unlock()
	e.armExpiry()
	return Result{r.Generation, time.Since(start).Microseconds(), sandboxes, ended.count(), ended.byNetwork(versions, at.Sub(start))}, nil
}

func (e *Engine) decode(r Request) (delta, error) {
	if r.Base == nil {
		var w whole
		if err := json.Unmarshal(r.Plan, &w); err != nil {
			return delta{}, PlanError{err}
		}
		d, err := e.state.replace(w)
		if err != nil {
			return delta{}, PlanError{err}
		}
		return d, nil
	}
	if *r.Base != e.generation {
		return delta{}, &MismatchError{e.generation}
	}
	var d delta
	if err := json.Unmarshal(r.Plan, &d); err != nil {
		return delta{}, PlanError{err}
	}
	return d, nil
}

// Close withdraws everything: sandboxes refuse from now on.
func (e *Engine) Close() {
	e.applying.Lock()
	defer e.applying.Unlock()
	e.closed = true
	if e.expiry != nil {
		e.expiry.Stop()
	}
	for _, b := range e.state.sandboxes {
		e.shut(b)
	}
}
