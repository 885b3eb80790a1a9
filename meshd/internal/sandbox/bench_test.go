package sandbox

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"gstacks/meshd/internal/netns"
	"gstacks/meshd/internal/netns/netnstest"
)

// discard takes connections and lets the other side end them.
func discard(b *testing.B, l *net.TCPListener) (port uint16) {
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	return portOf(l.Addr())
}

func BenchmarkDial(b *testing.B) {
	s := open(b, netnstest.NewJail(b))
	var l *net.TCPListener
	err := netns.Within(s.namespace, func() (err error) {
		l, err = listenTCP(0)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	port := discard(b, l)
	for b.Loop() {
		c, err := s.Dial(b.Context(), port, patience)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// BenchmarkDialOutside is the same without a namespace, to compare.
func BenchmarkDialOutside(b *testing.B) {
	l, err := listenTCP(0)
	if err != nil {
		b.Fatal(err)
	}
	address := loopbackPort(discard(b, l))
	dialer := net.Dialer{KeepAlive: -1}
	dialer.SetMultipathTCP(false)
	for b.Loop() {
		c, err := dialer.DialContext(b.Context(), "tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

func BenchmarkWithin(b *testing.B) {
	s := open(b, netnstest.NewJail(b))
	for b.Loop() {
		if err := netns.Within(s.namespace, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := open(b, netnstest.NewJail(b), api)
	one := []netip.AddrPort{worker}
	for i := 0; b.Loop(); i++ {
		var err error
		if i%2 == 0 {
			err = s.Update(one, nil)
		} else {
			err = s.Update(nil, one)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	jail := netnstest.NewJail(b)
	for b.Loop() {
		s, err := Open(refOf(jail), []netip.AddrPort{api}, nil, tell)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
