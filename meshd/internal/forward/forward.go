// Package forward is the addresses of a developer's machine that lead into a
// network: a loopback port or a Unix socket each. It promises that connections are
// apart from each other, that one which cannot be carried is reset where the kernel
// has a reset, and that a closed forward leaves no connection and no socket behind.
package forward

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/socket"
)

// Forward leads a local address to the alias and port that Source may reach at
// Address and Port.
type Forward struct {
	ID string `json:"id"`
	// Listen is an IP address and port (0: any), or "unix:" and a path.
	Listen  string     `json:"listen"`
	Source  string     `json:"source"`
	Address netip.Addr `json:"address"`
	Port    uint16     `json:"port"`
	// Guard, if any, judges HTTP requests before anything is carried.
	Guard *Guard `json:"guard,omitempty"`
}

// To is where it leads.
func (f Forward) To() netip.AddrPort { return netip.AddrPortFrom(f.Address, f.Port) }

// Status is a forward with what went through it.
type Status struct {
	Forward
	// Bound is Listen with the port that was found.
	Bound string `json:"bound"`
	// Waiting connections are not carried yet.
	Waiting int   `json:"waiting"`
	Open    int   `json:"open"`
	Total   int64 `json:"total"`
	// Refused counts the requests that the guard did not let in.
	Refused       int64  `json:"refused"`
	BytesToTarget int64  `json:"bytesToTarget"`
	BytesToSource int64  `json:"bytesToSource"`
	LastError     string `json:"lastError,omitempty"`
}

// Carrier carries one connection and returns when it has ended, or why it could not
// be carried. It asks to at each attempt, since a forward may be led elsewhere, and
// tells the flow when it has one.
type Carrier func(ctx context.Context, to func() Forward, source *relay.Side, began func(*relay.Flow)) error

// mostConnections bounds those of one forward, carried or waiting.
const mostConnections = 4096

// open is a forward that listens.
type open struct {
	listener net.Listener
	log      *slog.Logger
	carry    Carrier
	stop     context.CancelFunc
	serving  sync.WaitGroup

	mu          sync.Mutex
	to          Forward
	status      Status
	flows       map[*relay.Flow]struct{}
	connections int
}

func start(f Forward, carry Carrier, log *slog.Logger) (*open, error) {
	l, err := bind(f.Listen)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	o := &open{listener: l, log: log, carry: carry, stop: stop, to: f, flows: map[*relay.Flow]struct{}{}}
	o.serving.Go(func() { o.accept(ctx) })
	return o, nil
}

// bind listens at an address. A socket file that nobody answers at any more is
// replaced; the new one is its owner's alone.
func bind(at string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(at, "unix:")
	if !isUnix {
		return net.Listen("tcp", at)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, os.NewSyscallError("bind", unix.EADDRINUSE)
	} else if errors.Is(err, unix.ECONNREFUSED) { // the kernel says so of any file, too
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
			return nil, os.NewSyscallError("bind", unix.EADDRINUSE)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	before := unix.Umask(0o177)
	defer unix.Umask(before)
	return net.Listen("unix", path)
}

func (o *open) bound() string {
	if path, isUnix := strings.CutPrefix(o.to.Listen, "unix:"); isUnix {
		return "unix:" + path
	}
	return o.listener.Addr().String()
}

func (o *open) lead(f Forward) { o.mu.Lock(); o.to = f; o.mu.Unlock() }

func (o *open) where() Forward { o.mu.Lock(); defer o.mu.Unlock(); return o.to }

func (o *open) accept(ctx context.Context) {
	for {
		c, err := o.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: wait until some are free
			o.log.Warn("cannot take a forwarded connection", "error", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		source, conn := sideOf(c)
		if !o.enter() {
			conn.Close()
			continue
		}
		o.serving.Go(func() { o.serve(ctx, source, conn) })
	}
}

// sideOf makes closing mean reset, as far as there is such a thing.
func sideOf(c net.Conn) (*relay.Side, connection) {
	if tcp, ok := c.(*net.TCPConn); ok {
		s := socket.From(tcp)
		s.ResetOnClose(true)
		return relay.Local(s), s
	}
	unix := c.(*net.UnixConn)
	return relay.Unix(unix), unix
}

func (o *open) serve(ctx context.Context, source *relay.Side, conn connection) {
	var flow *relay.Flow
	var err error
	if guard := o.where().Guard; guard != nil {
		var read []byte
		read, err = guard.admit(ctx, conn)
		source.ReadAlready(read)
	}
	if err == nil {
		err = o.carry(ctx, o.where, source, func(f *relay.Flow) { flow = f; o.began(ctx, f) })
	}
	if err != nil {
		conn.Close()
	}
	o.ended(flow, err)
}

func (o *open) enter() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.connections >= mostConnections {
		return false
	}
	o.connections++
	return true
}

// began takes a flow in; one that comes too late for close is reset.
func (o *open) began(ctx context.Context, f *relay.Flow) {
	o.mu.Lock()
	o.flows[f] = struct{}{}
	o.status.Total++
	o.mu.Unlock()
	if ctx.Err() != nil {
		f.Fail(relay.Reset, errClosed)
	}
}

func (o *open) ended(f *relay.Flow, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.connections--
	if f != nil {
		delete(o.flows, f)
		r := f.Record()
		o.status.BytesToTarget += r.BytesToTarget
		o.status.BytesToSource += r.BytesToSource
	}
	if err != nil {
		o.status.LastError = err.Error()
	}
	if no := (*refused)(nil); errors.As(err, &no) {
		o.status.Refused++
	}
}

func (o *open) now() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.status
	s.Forward, s.Bound, s.Open, s.Waiting = o.to, o.bound(), len(o.flows), o.connections-len(o.flows)
	for f := range o.flows {
		r := f.Record()
		s.BytesToTarget += r.BytesToTarget
		s.BytesToSource += r.BytesToSource
	}
	return s
}

var errClosed = errors.New("the forward was closed")

func (o *open) close() {
	o.listener.Close()
	o.stop()
	o.mu.Lock()
	flows := make([]*relay.Flow, 0, len(o.flows))
	for f := range o.flows {
		flows = append(flows, f)
	}
	o.mu.Unlock()
	for _, f := range flows {
		f.Fail(relay.Reset, errClosed)
	}
	o.serving.Wait()
}
