//go:build e2e

package e2e

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"
)

const api = "127.64.1.1:8080"

// echo answers what it is sent, and ends when the client ends.
func echo(c *net.TCPConn) { io.Copy(c, c); c.CloseWrite() }

func exchange(t *testing.T, c *net.TCPConn, text string) string {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSameHost(t *testing.T) {
	w := newWorld(t)
	h, _ := w.host()
	m := &meshd{t: t, w: w, name: "h1", place: h}
	t.Cleanup(func() { m.kill() })
	m.start()
	a, b := newPlace(t), newPlace(t)
	boxes := map[string]*place{"sbx_a": a, "sbx_b": b}
	b.do(func() error { return nil })
	m.apply(boxes, nil, nil)
	if _, err := a.dial(api); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("without a permit: %v", err)
	}
	m.apply(boxes, []object{outbound("p1", "sbx_a", 8080, toSandbox("sbx_b"))}, nil)
	b.serve("127.0.0.1:8080", echo)
	if got := exchange(t, a.mustDial(api), "hello"); got != "hello" {
		t.Fatal(got)
	}
}

// pair is two hosts with a sandbox each; api is in the second one.
type pair struct {
	t      *testing.T
	w      *world
	m1, m2 *meshd
	a, b   *place
}

func newPair(t *testing.T, transport1, transport2 string) *pair {
	t.Helper()
	w := newWorld(t)
	p := &pair{t: t, w: w, a: newPlace(t), b: newPlace(t)}
	p.m1, p.m2 = w.meshd("h1", transport1), w.meshd("h2", transport2)
	p.m1.awaitPeer(p.m2)
	p.m2.awaitPeer(p.m1)
	return p
}

func (p *pair) allow() (source, target applied) {
	p.t.Helper()
	target = p.m2.apply(map[string]*place{"sbx_b": p.b}, nil, []object{inbound("i1", p.m1, "sbx_a", "sbx_b", 8080)})
	source = p.m1.apply(map[string]*place{"sbx_a": p.a}, []object{outbound("o1", "sbx_a", 8080, toNode(p.m2))}, nil)
	return source, target
}

func transports(t *testing.T, run func(t *testing.T, p *pair)) {
	for _, c := range [][3]string{{"tun", "auto", "auto"}, {"netstack", "netstack", "netstack"}, {"mixed", "auto", "netstack"}} {
		t.Run(c[0], func(t *testing.T) { run(t, newPair(t, c[1], c[2])) })
	}
}

func TestAcrossHosts(t *testing.T) {
	transports(t, func(t *testing.T, p *pair) {
		p.b.serve("127.0.0.1:8080", echo)
		p.allow()
		start := time.Now()
		c := p.a.mustDial(api)
		if got := exchange(t, c, "hello"); got != "hello" {
			t.Fatal(got)
		}
		t.Logf("first exchange: %v", time.Since(start).Round(10*time.Microsecond))
		t.Run("half-close", func(t *testing.T) {
			c.CloseWrite()
			if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
				t.Fatal(rest, err)
			}
		})
		t.Run("bulk", func(t *testing.T) { bulk(t, p.a.mustDial(api), 256<<20) })
	})
}

// bulk sends n bytes while it reads them back, and compares digests.
func bulk(t *testing.T, c *net.TCPConn, n int64) {
	t.Helper()
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	start := time.Now()
	sent := sha256.New()
	failed := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.MultiWriter(c, sent), rand.NewChaCha8([32]byte{}), n)
		failed <- errors.Join(err, c.CloseWrite())
	}()
	got := sha256.New()
	read, err := io.Copy(got, c)
	if sendErr := <-failed; err != nil || sendErr != nil || read != n {
		t.Fatalf("read %d of %d: %v, %v", read, n, err, sendErr)
	}
	if string(sent.Sum(nil)) != string(got.Sum(nil)) {
		t.Fatal("bytes differ")
	}
	t.Logf("%d MiB both ways in %v", n>>20, time.Since(start).Round(time.Millisecond))
}
