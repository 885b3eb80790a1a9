package relay

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gstacks/meshd/internal/socket"
	"gstacks/meshd/internal/wire"
)

// Info is what is known of a flow from its start; see Flow in docs/protocol.md.
type Info struct {
	ID        string   `json:"id"`
	Stream    string   `json:"stream"` // the source's id of it, the same at both ends
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
	Limits    []Limit  `json:"-"`
}

// Record is a flow with what was counted and timed of it, from its arrival on.
type Record struct {
	Info
	BytesToTarget int64 `json:"bytesToTarget"`
	BytesToSource int64 `json:"bytesToSource"`
	Micros        int64 `json:"micros"`
	// Until the target was reached, and until its first byte; 0 while that is to come.
	ConnectMicros   int64 `json:"connectMicros,omitempty"`
	FirstByteMicros int64 `json:"firstByteMicros,omitempty"`
}

// Event tells that a flow opened or closed. A flow that fails before it opens is
// told once, as closed.
type Event struct {
	Record
	Phase string `json:"phase"`
	End   End    `json:"end,omitempty"`
	By    By     `json:"by,omitempty"`
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
	Limited     End = "limit"       // over a limit of streams, or no descriptors left
	Stopped     End = "stopped"     // this meshd ended
)

// By says which end of the stream broke a flow off that was reset.
type By string

const (
	BySource By = "source"
	ByTarget By = "target"
)

// Flow is one relayed stream. It ends once, whoever ends it: its relay, or a
// revocation from outside, which resets every side that is attached.
type Flow struct {
	info               Info
	table              *Table
	arrived            time.Time
	toTarget, toSource meter
	halvesDone         atomic.Int32

	mu        sync.Mutex
	sides     []*Side
	connected time.Duration // until the target was reached; 0 before
	end       End
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

// Fail ends the flow and resets its sides; the first end counts, and only it is true.
func (f *Flow) Fail(end End, err error) bool { return f.finish(end, "", err, (*Side).reset) }

// Relay carries bytes between the source's and the target's side until both
// directions are done, and keeps half-close and reset. The source's bytes flow at
// once; the target's only after ready (nil: at once), whose error fails the flow
// with the end it names.
func (f *Flow) Relay(source, target *Side, ready func() (End, error)) {
	target.opened(source)
	forward := make(chan struct{})
	go func() {
		defer close(forward)
		f.half(target, source, BySource, &f.toTarget)
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
	f.half(source, target, ByTarget, &f.toSource)
	<-forward
	f.finish(EOF, "", nil, (*Side).close)
}

// half pumps one direction and passes its end on: a clean one as half-close, a
// broken one as reset of the whole flow. After the second one the flow is closed, and
// what closing says need not be said before, unless it takes a chunk.
func (f *Flow) half(dst, src *Side, from By, count *meter) {
	err := pump(dst, src, count)
	if err == nil && (f.halvesDone.Add(1) == 1 || dst.out != nil) {
		if err = dst.end(); err != nil {
			err = socket.WriteError{Err: err}
		}
	}
	if err != nil && !errors.Is(err, syscall.ENOTCONN) {
		f.finish(Reset, brokenBy(err, from), err, (*Side).reset)
	}
}

// brokenBy says which end an error of a direction came from, by whose bytes it carried.
func brokenBy(err error, from By) By {
	var write socket.WriteError
	switch {
	case !errors.As(err, &write):
		return from
	case from == BySource:
		return ByTarget
	}
	return BySource
}

// open marks the flow as established and tells so.
func (f *Flow) open() {
	f.mu.Lock()
	tell := f.end == "" && f.connected == 0
	if tell {
		f.connected = max(time.Since(f.arrived), time.Microsecond)
	}
	f.mu.Unlock()
	if tell {
		f.table.notify(Event{Record: f.Record(), Phase: "opened"})
	}
}

func (f *Flow) finish(end End, by By, err error, release func(*Side)) bool {
	f.mu.Lock()
	if f.end != "" {
		f.mu.Unlock()
		return false
	}
	f.end = end
	sides, opened := f.sides, f.connected != 0
	f.sides = nil
	f.mu.Unlock()
	for _, s := range sides {
		release(s)
	}
	f.table.remove(f)
	f.table.notify(Event{Record: f.Record(), Phase: "closed", End: end, By: by, Error: plain(err), WasOpen: opened})
	return true
}

// Record is the flow as it stands.
func (f *Flow) Record() Record {
	f.mu.Lock()
	connected := f.connected
	f.mu.Unlock()
	return Record{f.info, f.toTarget.bytes.Load(), f.toSource.bytes.Load(), time.Since(f.arrived).Microseconds(),
		connected.Microseconds(), f.toSource.first.Load()}
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
