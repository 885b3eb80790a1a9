//go:build e2e

package e2e

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"
)

const (
	recovery = 3 * time.Second
	// settling is when the control server's word of a restart has come and gone. It
	// ends the session that was made since, and new streams once hung on that.
	settling = 500 * time.Millisecond
)

// revive starts a killed meshd as its agent does.
func (p *pair) revive(m *meshd) {
	p.t.Helper()
	m.start()
	m.version = 0
	if m == p.m1 {
		m.apply(map[string]*place{"sbx_a": p.a}, []object{outbound("o1", "sbx_a", 8080, toNode(p.m2))}, nil)
	} else {
		m.apply(map[string]*place{"sbx_b": p.b}, nil, []object{inbound("i1", p.m1, "sbx_a", "sbx_b", 8080)})
	}
	m.join()
}

// carries tells whether a new stream brings a byte there and back in time.
func (p *pair) carries(within time.Duration) bool {
	p.t.Helper()
	c, err := p.a.dial(api)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(within))
	c.Write([]byte("x"))
	_, err = io.ReadFull(c, make([]byte, 1))
	return err == nil
}

// mustRecover waits for new streams, which must work soon after the kill and from then on.
func (p *pair) mustRecover(t *testing.T, killed time.Time) {
	t.Helper()
	eventually(t, 4*recovery, "a new stream works", func() bool { return p.carries(recovery) })
	took := time.Since(killed)
	if took > recovery {
		t.Errorf("new streams only after %v", took)
	}
	for last := time.Now().Add(settling); time.Now().Before(last); {
		if !p.carries(recovery) {
			t.Errorf("new streams worked after %v, and failed again within %v", took, time.Since(killed))
		}
	}
	t.Logf("new streams after %v", took.Round(time.Millisecond))
}

func TestKilledMeshd(t *testing.T) {
	transports(t, func(t *testing.T, p *pair) {
		p.b.serve("127.0.0.1:8080", echo)
		p.allow()
		t.Run("source", func(t *testing.T) {
			c := p.a.mustDial(api)
			exchange(t, c, "x")
			killed := time.Now()
			p.m1.kill()
			if _, err := p.a.dial(api); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("without meshd: %v", err)
			}
			p.revive(p.m1)
			p.mustRecover(t, killed)
			mustReset(t, "the old stream", c)
		})
		t.Run("target", func(t *testing.T) {
			c := p.a.mustDial(api)
			exchange(t, c, "x")
			killed := time.Now()
			p.m2.kill()
			p.revive(p.m2)
			p.mustRecover(t, killed)
			// The source's meshd learns of the end with the next byte, or by keep-alive before it.
			if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				mustReset(t, "the old stream", c)
			}
		})
		t.Run("target, then source", func(t *testing.T) {
			p.m2.kill()
			p.revive(p.m2)
			killed := time.Now()
			p.m1.kill()
			p.revive(p.m1)
			p.mustRecover(t, killed)
		})
	})
}
