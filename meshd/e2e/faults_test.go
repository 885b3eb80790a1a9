//go:build e2e

package e2e

import (
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

// abort ends a connection with a reset.
func abort(c *net.TCPConn) { c.SetLinger(0); c.Close() }

// end reads until the connection ends and says how.
func end(c *net.TCPConn) error {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, c)
	return err
}

// mustFail opens a stream that the kernel accepts and meshd then resets, maybe
// before the connect has returned.
func (p *pair) mustFail(t *testing.T, what, to string) {
	t.Helper()
	c, err := p.a.dial(to)
	if err == nil {
		defer c.Close()
		err = end(c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%s: %v, not a reset", what, err)
	}
}

func mustReset(t *testing.T, what string, c *net.TCPConn) {
	t.Helper()
	if err := end(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%s: ended with %v, not a reset", what, err)
	}
}

func TestEndings(t *testing.T) {
	transports(t, func(t *testing.T, p *pair) {
		ends := make(chan error, 8)
		p.b.serve("127.0.0.1:8080", func(c *net.TCPConn) {
			first := make([]byte, 1)
			io.ReadFull(c, first)
			c.Write(first)
			switch first[0] {
			case 'r': // the app resets
				io.ReadFull(c, first)
				abort(c)
			case 'h': // the app ends first, and goes on reading
				c.CloseWrite()
				n, err := io.Copy(io.Discard, c)
				if n != 1 && err == nil {
					err = errors.New("the client's last byte is missing")
				}
				ends <- err
			default:
				ends <- end(c)
			}
		})
		p.allow()
		t.Run("app resets", func(t *testing.T) {
			c := p.a.mustDial(api)
			exchange(t, c, "r")
			c.Write([]byte("x"))
			mustReset(t, "client", c)
		})
		t.Run("client resets", func(t *testing.T) {
			c := p.a.mustDial(api)
			exchange(t, c, "c")
			abort(c)
			if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("the app saw %v, not a reset", err)
			}
		})
		t.Run("app ends first", func(t *testing.T) {
			c := p.a.mustDial(api)
			exchange(t, c, "h")
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			c.Write([]byte("x"))
			c.CloseWrite()
			if err := <-ends; err != nil {
				t.Fatal(err)
			}
		})
		t.Run("withdrawn at the target", func(t *testing.T) {
			c := p.a.mustDial(api)
			exchange(t, c, "w")
			if closed := p.m2.apply(map[string]*place{"sbx_b": p.b}, nil, nil).ClosedFlows; closed != 1 {
				t.Fatalf("%d flows closed", closed)
			}
			mustReset(t, "client", c)
			if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("the app saw %v, not a reset", err)
			}
			p.mustFail(t, "a new one, refused by the target", api)
		})
		t.Run("app is not there", func(t *testing.T) {
			p.m2.apply(map[string]*place{"sbx_b": p.b}, nil, []object{inbound("i2", p.m1, "sbx_a", "sbx_b", 8081)})
			p.m1.apply(map[string]*place{"sbx_a": p.a}, []object{outbound("o2", "sbx_a", 8081, toNode(p.m2))}, nil)
			p.mustFail(t, "client", "127.64.1.1:8081")
		})
	})
}

func TestWithdrawalTouchesOnlyItsFlows(t *testing.T) {
	p := newPair(t, "auto", "auto")
	p.b.serve("127.0.0.1:8080", echo)
	p.b.serve("127.0.0.1:8081", echo)
	p.m2.apply(map[string]*place{"sbx_b": p.b}, nil, []object{inbound("i1", p.m1, "sbx_a", "sbx_b", 8080), inbound("i2", p.m1, "sbx_a", "sbx_b", 8081)})
	stays := outbound("o2", "sbx_a", 8081, toNode(p.m2))
	p.m1.apply(map[string]*place{"sbx_a": p.a}, []object{outbound("o1", "sbx_a", 8080, toNode(p.m2)), stays}, nil)
	goes, lives := p.a.mustDial(api), p.a.mustDial("127.64.1.1:8081")
	exchange(t, goes, "x")
	exchange(t, lives, "x")
	a := p.m1.apply(map[string]*place{"sbx_a": p.a}, []object{stays}, nil)
	if a.ClosedFlows != 1 {
		t.Fatalf("%d flows closed", a.ClosedFlows)
	}
	mustReset(t, "withdrawn", goes)
	exchange(t, lives, "y")
	if _, err := p.a.dial(api); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("after the withdrawal: %v", err)
	}
	t.Logf("withdrawn in %d us", a.Micros)
}

func TestAliasMove(t *testing.T) {
	p := newPair(t, "auto", "auto")
	here := newPlace(t)
	p.b.serve("127.0.0.1:8080", func(c *net.TCPConn) { c.Write([]byte("there")); end(c) })
	here.serve("127.0.0.1:8080", func(c *net.TCPConn) { c.Write([]byte("here.")); end(c) })
	p.allow()
	read := func(c *net.TCPConn) string {
		b := make([]byte, 5)
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.ReadFull(c, b)
		return string(b)
	}
	old := p.a.mustDial(api)
	if got := read(old); got != "there" {
		t.Fatal(got)
	}
	a := p.m1.apply(map[string]*place{"sbx_a": p.a, "sbx_c": here}, []object{outbound("o1", "sbx_a", 8080, toSandbox("sbx_c"))}, nil)
	if a.ClosedFlows != 1 {
		t.Fatalf("%d flows closed", a.ClosedFlows)
	}
	mustReset(t, "to the old place", old)
	if got := read(p.a.mustDial(api)); got != "here." {
		t.Fatal(got)
	}
}

func TestJoin(t *testing.T) {
	w := newWorld(t)
	m := w.meshd("h1", "auto")
	first := m.id
	m.join()
	if m.id != first {
		t.Fatalf("a second join made node %s out of %s", m.id, first)
	}
	m.must("leave", object{"network": network, "forget": true}, nil)
	params := m.joinParams()
	params["authKey"] = ""
	if code := m.ask("join", params, nil); code != "needs_key" {
		t.Fatalf("without a key: %q", code)
	}
	params["authKey"] = "hskey-auth-000000000000-0000000000000000000000000000000000000000000000000000000000000000"
	if code := m.ask("join", params, nil); code != "join_failed" && code != "needs_key" {
		t.Fatalf("with a wrong key: %q", code)
	}
	m.join()
	second := m.id
	m.must("leave", object{"network": network}, nil)
	w.headscale.forget(m.id)
	m.join()
	if m.id == second {
		t.Fatal("a node that Headscale had deleted came back as the same")
	}
}

func TestProbe(t *testing.T) {
	p := newPair(t, "auto", "auto")
	type result struct {
		OK    bool
		Steps []struct {
			Name, Error string
			OK          bool
			Micros      int64
		}
		Pings struct{ Sent, Received int }
	}
	probe := func(sandbox string) (r result) {
		p.m1.must("probe", object{"network": network, "sandbox": sandbox, "alias": "als_api", "port": 8080, "target": toNode(p.m2), "address": "127.64.1.1", "firstByteMs": 300}, &r)
		t.Logf("%+v", r)
		return r
	}
	p.m1.apply(map[string]*place{"sbx_a": p.a}, nil, nil)
	p.m2.apply(map[string]*place{"sbx_b": p.b}, nil, nil)
	broken := func(r result) (names []string) {
		for _, s := range r.Steps {
			if !s.OK {
				names = append(names, s.Name)
			}
		}
		return names
	}
	expect := func(what string, r result, want ...string) {
		t.Helper()
		if got := broken(r); r.OK != (len(want) == 0) || !slices.Equal(got, want) {
			t.Fatalf("%s: %v broken, not %v", what, got, want)
		}
	}
	expect("without permits", probe("sbx_a"), "permit", "verdict")
	p.m1.apply(map[string]*place{"sbx_a": p.a}, []object{outbound("o1", "sbx_a", 8080, toNode(p.m2))}, nil)
	expect("without the target's permit", probe("sbx_a"), "verdict")
	p.allow()
	expect("without the app", probe("sbx_a"), "connect")
	flows := func() (st struct{ Counters map[string]int }) {
		p.m2.must("status", object{}, &st)
		return st
	}
	before := flows()
	p.b.serve("127.0.0.1:8080", func(c *net.TCPConn) { c.Write([]byte("220 ready")); echo(c) })
	r := probe("sbx_a")
	expect("with all", r)
	names := make([]string, 0, len(r.Steps))
	for _, s := range r.Steps {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"enter", "permit", "dial", "roundTrip", "verdict", "connect", "firstByte", "fullSize"}) {
		t.Fatal(names)
	}
	if r.Pings.Received < 10 {
		t.Fatalf("%d pings of %d came back", r.Pings.Received, r.Pings.Sent)
	}
	if after := flows(); !maps.Equal(after.Counters, before.Counters) {
		t.Fatalf("a probe counts as a stream: %v, then %v", before, after)
	}
}
