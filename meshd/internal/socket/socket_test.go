package socket

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

func unconnected(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := Prepare(fd); err != nil {
		t.Fatal(err)
	}
	return fd
}

func at(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

func listening(t *testing.T) *Listener {
	t.Helper()
	l, err := Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// link is a connected pair.
func link(t *testing.T) (near, far *Conn) {
	t.Helper()
	l := listening(t)
	near, err := Connect(t.Context(), unconnected(t), at(l.Port()), patience)
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Conn{near, far} {
		c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { c.Close() })
	}
	return near, far
}

func TestReadsWaitAndTriesDoNot(t *testing.T) {
	near, far := link(t)
	buf := make([]byte, 8)
	if n, err := far.TryRead(buf); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	go near.Write([]byte("one"))
	if n, err := far.Read(buf[:1]); n != 1 || err != nil || !far.Waiting() {
		t.Fatal(n, err, far.Waiting())
	}
	if n, err := far.Read(buf[1:]); string(buf[:1+n]) != "one" || far.Waiting() || err != nil {
		t.Fatal(n, err)
	}
	near.WriteMore([]byte("two"))
	if n, err := far.TryRead(buf); n != 0 || err != nil {
		t.Fatal("what should wait for more did not:", n, err)
	}
	if err := near.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(far); string(all) != "two" || err != nil {
		t.Fatal(all, err)
	}
	if n, err := far.TryRead(buf); n != 0 || err != io.EOF {
		t.Fatal(n, err)
	}
}

func TestWhatClosingMeans(t *testing.T) {
	near, far := link(t)
	near.Close()
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("x")); err == nil {
		t.Fatal("wrote to a closed connection")
	}
	near, far = link(t)
	far.ResetOnClose(false) // else handed down by the listener
	far.Close()
	if _, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
}

// A writer that hears of a reset first leaves none for the reader.
func TestABrokenEndNeverLooksClean(t *testing.T) {
	writes := map[string]func(c *Conn) error{
		"write": func(c *Conn) error {
			_, err := c.Write([]byte("x"))
			return err
		},
		"splice": func(c *Conn) error {
			near, in := link(t)
			near.Write([]byte("x"))
			return Splice(c, in, new(atomic.Int64))
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			near, far := link(t)
			far.Close()
			if err := write(near); !errors.Is(err, unix.ECONNRESET) {
				t.Fatal("written:", err)
			}
			if _, err := near.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
				t.Fatal("read:", err)
			}
		})
		t.Run(name+" that still waits", func(t *testing.T) {
			near, far := link(t)
			near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			near.Write(make([]byte, 64<<20)) // more than there is room for
			near.SetDeadline(time.Now().Add(patience))
			written := make(chan error)
			go func() { written <- write(near) }()
			far.Close()
			_, err := near.Read(make([]byte, 1))
			if !errors.Is(err, unix.ECONNRESET) {
				t.Fatal("read:", err)
			}
			<-written
		})
	}
	near, far := link(t)
	far.Write([]byte("all"))
	far.CloseWrite()
	near.Write([]byte("unread"))
	far.Close() // a reset, after all that it had to say
	if all, err := io.ReadAll(near); string(all) != "all" || err != nil {
		t.Fatal(all, err)
	}
	near.Write([]byte("x"))
	if _, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal("a reset after an end:", err)
	}
}

func TestClosingWakesWhoWaits(t *testing.T) {
	near, _ := link(t)
	done := make(chan error)
	go func() {
		_, err := near.Read(make([]byte, 1))
		done <- err
	}()
	near.Close()
	if <-done == nil {
		t.Fatal("read from a closed connection")
	}
	l := listening(t)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	l.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

func TestConnectTellsWhy(t *testing.T) {
	l := listening(t)
	l.Close()
	if _, err := Connect(t.Context(), unconnected(t), at(l.Port()), patience); !errors.Is(err, unix.ECONNREFUSED) {
		t.Error("nobody listens:", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Connect(ended, unconnected(t), at(1), patience); !errors.Is(err, context.Canceled) {
		t.Error("canceled:", err)
	}
	// Nobody accepts, so that at some point nobody is let in.
	silent := listening(t)
	silent.raw.Control(func(fd uintptr) { unix.Listen(int(fd), 0) })
	for {
		c, err := Connect(t.Context(), unconnected(t), at(silent.Port()), 50*time.Millisecond)
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error("no answer:", err)
			}
			return
		}
		defer c.Close()
	}
}

func TestSpliceCarriesAllAndCounts(t *testing.T) {
	near, in := link(t)
	out, far := link(t)
	payload := strings.Repeat("0123456789abcdef", 1<<18)
	go func() {
		near.Write([]byte(payload))
		near.CloseWrite()
	}()
	var count atomic.Int64
	go func() {
		if Splice(out, in, &count) == nil {
			out.CloseWrite()
		}
	}()
	got, err := io.ReadAll(far)
	if err != nil || string(got) != payload || count.Load() != int64(len(payload)) {
		t.Fatalf("%d bytes, counted %d, %v", len(got), count.Load(), err)
	}
}

func TestSpliceTellsWhichEndBroke(t *testing.T) {
	near, in := link(t)
	out, far := link(t)
	far.Close() // a reset
	go near.Write(make([]byte, 8<<20))
	var count atomic.Int64
	if err := Splice(out, in, &count); !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
		t.Fatal(err)
	}
}
