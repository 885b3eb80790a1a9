package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"gstacks/meshd/internal/socket"
)

// link is a connected pair of kernel sockets.
func link(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close(); f.Close() })
	deadline := time.Now().Add(20 * time.Second)
	n.SetDeadline(deadline)
	f.SetDeadline(deadline)
	return n.(*net.TCPConn), f.(*net.TCPConn)
}

// raw is a side as in a sandbox.
func raw(c *net.TCPConn) *Side {
	s := Local(socket.From(c))
	s.kernel.ResetOnClose(true)
	return s
}

// noReset hides that a connection is a kernel socket, as gVisor's are not.
type noReset struct{ net.Conn }

func (n noReset) CloseWrite() error { return n.Conn.(*net.TCPConn).CloseWrite() }

// rig is a client and an app with one or two relays between them.
type rig struct {
	client, app *net.TCPConn
	tables      []*Table
	events      chan Event
	flows       []*Flow
}

func (r *rig) hop(t *testing.T, direction string, source, target *Side) {
	t.Helper()
	table := NewTable(10, "t", func(e Event) { r.events <- e })
	f, err := table.Open(Info{Direction: direction, Permit: "p", Network: "n"}, source)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Attach(target) {
		t.Fatal("ended at once")
	}
	r.tables, r.flows = append(r.tables, table), append(r.flows, f)
	go f.Relay(source, target, nil)
	if e := <-r.events; e.Phase != "opened" {
		t.Fatalf("%+v", e)
	}
}

// shapes are the ways a flow can be carried; each must behave the same.
var shapes = map[string]func(*testing.T) *rig{
	"local": func(t *testing.T) *rig {
		r := &rig{events: make(chan Event, 10)}
		var in, out *net.TCPConn
		r.client, in = link(t)
		out, r.app = link(t)
		r.hop(t, "local", raw(in), raw(out))
		return r
	},
	"kernel mesh":         func(t *testing.T) *rig { return mesh(t, false, false) },
	"chunked mesh":        func(t *testing.T) *rig { return mesh(t, true, true) },
	"source cannot reset": func(t *testing.T) *rig { return mesh(t, true, false) },
	"target cannot reset": func(t *testing.T) *rig { return mesh(t, false, true) },
}

// mesh puts two hops in a row; a side that cannot reset sends chunks.
func mesh(t *testing.T, sourceChunks, targetChunks bool) *rig {
	r := &rig{events: make(chan Event, 10)}
	var in, near, far, out *net.TCPConn
	r.client, in = link(t)
	near, far = link(t)
	out, r.app = link(t)
	hide := func(c net.Conn, chunks bool) net.Conn {
		if chunks {
			return noReset{c}
		}
		return c
	}
	r.hop(t, "outbound", raw(in), Mesh(hide(near, sourceChunks), targetChunks, sourceChunks))
	r.hop(t, "inbound", Mesh(hide(far, targetChunks), sourceChunks, targetChunks), raw(out))
	return r
}

// ends collects how the hops ended.
func (r *rig) ends(t *testing.T) (out []Event) {
	t.Helper()
	for range r.flows {
		e := <-r.events
		if e.Phase != "closed" || !e.WasOpen {
			t.Fatalf("%+v", e)
		}
		out = append(out, e)
	}
	for _, table := range r.tables {
		if n := table.Count(); n != 0 {
			t.Fatalf("%d flows left", n)
		}
	}
	return out
}

func shaped(t *testing.T, run func(*testing.T, *rig)) {
	for name, make := range shapes {
		t.Run(name, func(t *testing.T) { run(t, make(t)) })
	}
}

func TestBytesAndHalfCloseBothWays(t *testing.T) {
	shaped(t, func(t *testing.T, r *rig) {
		question, answer := bytes.Repeat([]byte("question"), 300_000), bytes.Repeat([]byte("answer"), 200_000)
		go func() { r.client.Write(question); r.client.CloseWrite() }()
		got, err := io.ReadAll(r.app)
		if err != nil || !bytes.Equal(got, question) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		go func() { r.app.Write(answer); r.app.CloseWrite() }() // after the client's end
		got, err = io.ReadAll(r.client)
		if err != nil || !bytes.Equal(got, answer) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		for _, e := range r.ends(t) {
			if e.ConnectMicros < 1 || e.FirstByteMicros < e.ConnectMicros || e.Micros < e.FirstByteMicros {
				t.Errorf("times %+v", e)
			}
			if e.End != EOF || e.By != "" || e.BytesToTarget != int64(len(question)) || e.BytesToSource != int64(len(answer)) || e.Error != "" {
				t.Errorf("%+v", e)
			}
		}
	})
}

func TestResetArrivesAsReset(t *testing.T) {
	by := map[string]By{"client": BySource, "app": ByTarget}
	for name, sides := range map[string]func(*rig) (from, to *net.TCPConn){
		"client": func(r *rig) (*net.TCPConn, *net.TCPConn) { return r.client, r.app },
		"app":    func(r *rig) (*net.TCPConn, *net.TCPConn) { return r.app, r.client },
	} {
		t.Run(name, func(t *testing.T) {
			shaped(t, func(t *testing.T, r *rig) {
				from, to := sides(r)
				from.SetLinger(0)
				from.Close()
				if _, err := io.Copy(io.Discard, to); !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("%v, not a reset", err)
				}
				for _, e := range r.ends(t) {
					if e.End != Reset || e.By != by[name] {
						t.Errorf("%+v", e)
					}
				}
			})
		})
	}
}

func TestRevocationResetsBothEnds(t *testing.T) {
	shaped(t, func(t *testing.T, r *rig) {
		r.client.Write([]byte("x"))
		io.ReadFull(r.app, make([]byte, 1))
		if n := len(r.tables[0].Revoke("other")); n != 0 {
			t.Fatal("another permit's flow is gone")
		}
		if n := len(r.tables[0].Revoke("p", "q")); n != 1 {
			t.Fatalf("%d flows revoked", n)
		}
		for name, c := range map[string]*net.TCPConn{"client": r.client, "app": r.app} {
			if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s saw %v, not a reset", name, err)
			}
		}
		r.ends(t)
	})
}

// TestStalledReaderCanBeStopped: a reset from outside gets through although both
// directions are stuck in writes.
func TestStalledReaderCanBeStopped(t *testing.T) {
	shaped(t, func(t *testing.T, r *rig) {
		fill := func(c *net.TCPConn) {
			junk := make([]byte, 1<<20)
			c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			for {
				if _, err := c.Write(junk); err != nil {
					return
				}
			}
		}
		fill(r.client)
		fill(r.app)
		if n := len(r.tables[0].Stop()); n != 1 {
			t.Fatal(n)
		}
		for e := range r.events { // the other hop's end may be told first
			if e.End == Stopped {
				break
			}
		}
		if _, err := io.Copy(io.Discard, r.client); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
	})
}

func TestOpenFlowIsCountedLive(t *testing.T) {
	shaped(t, func(t *testing.T, r *rig) {
		r.client.Write([]byte("12345"))
		io.ReadFull(r.app, make([]byte, 5))
		r.app.Write([]byte("123"))
		io.ReadFull(r.client, make([]byte, 3))
		deadline := time.Now().Add(20 * time.Second)
		for _, table := range r.tables {
			l := table.List(10)
			for len(l) == 1 && (l[0].BytesToTarget != 5 || l[0].BytesToSource != 3) && time.Now().Before(deadline) {
				runtime.Gosched() // what has arrived is counted a moment later
				l = table.List(10)
			}
			if len(l) != 1 || l[0].BytesToTarget != 5 || l[0].BytesToSource != 3 {
				t.Errorf("%+v", l)
			}
		}
	})
}

func TestReadyFailureResetsTheSource(t *testing.T) {
	events := make(chan Event, 2)
	table := NewTable(10, "t", func(e Event) { events <- e })
	client, in := link(t)
	near, _ := link(t)
	source, target := raw(in), raw(near)
	f, err := table.Open(Info{Direction: "outbound", Permit: "p"}, source)
	if err != nil || !f.Attach(target) {
		t.Fatal(err)
	}
	f.Relay(source, target, func() (End, error) { return Refused, errors.New("denied: no permit") })
	if e := <-events; e.Phase != "closed" || e.End != Refused || e.WasOpen || e.Error != "denied: no permit" {
		t.Fatalf("%+v", e)
	}
	if _, err := io.Copy(io.Discard, client); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
}

func TestBudget(t *testing.T) {
	events := make(chan Event, 2)
	table := NewTable(1, "t", func(e Event) { events <- e })
	_, first := link(t)
	one, err := table.Open(Info{Permit: "p"}, raw(first))
	if err != nil {
		t.Fatal(err)
	}
	if r := one.Record(); r.Stream != r.ID {
		t.Errorf("a flow without a stream's name is its own: %+v", r)
	}
	client, second := link(t)
	if _, err := table.Open(Info{Permit: "p"}, raw(second)); !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
	if e := <-events; e.End != Limited {
		t.Fatalf("%+v", e)
	}
	if _, err := io.Copy(io.Discard, client); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	one.Fail(Reset, nil)
	_, third := link(t)
	if _, err := table.Open(Info{Permit: "p"}, raw(third)); err != nil {
		t.Fatal("the budget does not come back:", err)
	}
}

func TestAttachToAnEndedFlowResets(t *testing.T) {
	table := NewTable(10, "t", func(Event) {})
	f, err := table.Open(Info{Permit: "p"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	table.Revoke("p")
	client, late := link(t)
	if f.Attach(raw(late)) {
		t.Fatal("attached")
	}
	if _, err := io.Copy(io.Discard, client); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
}

func TestFlowsInDescriptors(t *testing.T) {
	for limit, want := range map[uint64]int{0: 32, 1024: 85, 20_000: 3248, 1 << 40: 1 << 20} {
		if got := flowsIn(limit); got != want {
			t.Errorf("%d descriptors: %d flows, want %d", limit, got, want)
		}
	}
}
