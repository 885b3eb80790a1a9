package relay

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gstacks/meshd/internal/wire"
)

// Info is what is known of a flow from its start; see Flow in docs/protocol.md.
type Info struct {
	ID        string   `json:"id"`
	Direction string   `json:"direction"`
	Permit    string   `json:"permit"`
	Network   string   `json:"network"`
	Alias     string   `json:"alias"`
	Port      uint16   `json:"port"`
	Source    string   `json:"source"`
	Target    string   `json:"target"`
	Rules     []string `json:"rules"`
	Peer      string   `json:"peer,omitempty"`
	OpenedAt  int64    `json:"openedAt"`
}

// Record is a flow with its byte counts.
type Record struct {
	Info
	BytesToTarget int64 `json:"bytesToTarget"`
	BytesToSource int64 `json:"bytesToSource"`
}

// Event tells that a flow opened or closed. A flow that fails before it opens is
// told once, as closed.
type Event struct {
	Record
	Phase string `json:"phase"`
	End   End    `json:"end,omitempty"`
	Error string `json:"error,omitempty"`
	// WasOpen tells, of a closed flow, that it had opened.
	WasOpen bool `json:"-"`
}

// End says how a flow ended.
type End string

const (
	EOF         End = "eof"         // both directions completed
	Reset       End = "reset"       // an end broke off
	Revoked     End = "revoked"     // its permit was withdrawn
	Refused     End = "refused"     // the target's meshd denied it
	Unreachable End = "unreachable" // permitted, but host or app did not answer
	Limit       End = "limit"       // no descriptors left
)

// Flow is one relayed stream. It ends once, whoever ends it: its relay, or a
// revocation from outside, which resets every side that is attached.
type Flow struct {
	info               Info
	table              *Table
	toTarget, toSource atomic.Int64

	mu     sync.Mutex
	sides  []*Side
	local  *Side // the one in a sandbox of this host, for live counts
	opened bool
	end    End
	err    error
}

// Attach makes sides part of the flow. False means that the flow has ended already,
// and that they have been reset.
func (f *Flow) Attach(sides ...*Side) bool {
	f.mu.Lock()
	ended := f.end != ""
	if !ended {
		f.sides = append(f.sides, sides...)
	}
	f.mu.Unlock()
	if ended {
		for _, s := range sides {
			s.reset()
		}
	}
	return !ended
}

// ID is the flow's, unique among processes.
func (f *Flow) ID() string { return f.info.ID }

// Fail ends the flow and resets its sides; the first end counts.
func (f *Flow) Fail(end End, err error) { f.finish(end, err, (*Side).reset) }

// Relay carries bytes between the source's and the target's side until both
// directions are done, and keeps half-close and reset. The source's bytes flow at
// once; the target's only after ready (nil: at once), whose error fails the flow
// with the end it names.
func (f *Flow) Relay(source, target *Side, ready func() (End, error)) {
	f.mu.Lock()
	f.local = source
	if f.info.Direction == "inbound" {
		f.local = target
	}
	f.mu.Unlock()
	forward := make(chan struct{})
	go func() {
		defer close(forward)
		f.half(target, source, &f.toTarget)
	}()
	if ready != nil {
		if end, err := ready(); err != nil {
			f.Fail(end, err)
			<-forward
			return
		}
	}
	f.open()
	ended := make(chan struct{})
	defer close(ended)
	for _, s := range []*Side{source, target} {
		if s.out != nil {
			go s.keepAlive(signOfLife, ended)
		}
	}
	f.half(source, target, &f.toSource)
	<-forward
	f.finish(EOF, nil, (*Side).close)
}

// half pumps one direction and passes its end on: a clean one as half-close, a
// broken one as reset of the whole flow.
func (f *Flow) half(dst, src *Side, count *atomic.Int64) {
	err := pump(dst, src, count)
	if err == nil {
		err = dst.end()
	}
	if err != nil && !errors.Is(err, syscall.ENOTCONN) {
		f.Fail(Reset, err)
	}
}

// open marks the flow as established and tells so.
func (f *Flow) open() {
	f.mu.Lock()
	tell := f.end == "" && !f.opened
	f.opened = f.opened || tell
	f.mu.Unlock()
	if tell {
		f.table.notify(Event{Record: f.Record(), Phase: "opened"})
	}
}

func (f *Flow) finish(end End, err error, release func(*Side)) {
	f.mu.Lock()
	if f.end != "" {
		f.mu.Unlock()
		return
	}
	f.end, f.err = end, err
	sides, opened := f.sides, f.opened
	f.sides = nil
	f.mu.Unlock()
	for _, s := range sides {
		release(s)
	}
	f.table.remove(f)
	f.table.notify(Event{Record: f.Record(), Phase: "closed", End: end, Error: plain(err), WasOpen: opened})
}

// Record is the flow as it stands. A spliced direction is counted when a piece of
// it is through, so an open flow's figures come from the kernel where they can.
func (f *Flow) Record() Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := Record{f.info, f.toTarget.Load(), f.toSource.Load()}
	if f.end != "" || f.local == nil {
		return r
	}
	received, sent := f.local.passed()
	if f.info.Direction == "inbound" {
		received, sent = sent, received
	}
	r.BytesToTarget = max(r.BytesToTarget, received)
	r.BytesToSource = max(r.BytesToSource, sent)
	return r
}

// plain words an error for a person; a reset needs none.
func plain(err error) string {
	switch {
	case err == nil, errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF):
		return ""
	case errors.Is(err, wire.ErrAborted):
		return ""
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return "the peer host stopped answering"
	}
	return err.Error()
}

func now() int64 { return time.Now().UnixMilli() }
