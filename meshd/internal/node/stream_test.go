package node

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	ip "gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// far is the other end of a stream, which can do to it what only a kernel's can, too.
type far struct{ tcpip.Endpoint }

func (f far) end()   { f.Shutdown(tcpip.ShutdownWrite) }
func (f far) reset() { f.Abort() }

// connected makes a stream of gVisor's to another end in the same stack.
func connected(t *testing.T) (*stream, far) {
	t.Helper()
	s := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{ip.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol}})
	t.Cleanup(s.Close)
	must := func(err tcpip.Error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	self := tcpip.FullAddress{NIC: 1, Addr: tcpip.AddrFrom4(netip.MustParseAddr("127.0.0.1").As4()), Port: StreamPort}
	must(s.CreateNIC(1, loopback.New()))
	must(s.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: ip.ProtocolNumber, AddressWithPrefix: self.Addr.WithPrefix()}, stack.AddressProperties{}))
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	var queue waiter.Queue
	entry, arrived := waiter.NewChannelEntry(waiter.ReadableEvents)
	queue.EventRegister(&entry)
	listener, err := s.NewEndpoint(tcp.ProtocolNumber, ip.ProtocolNumber, &queue)
	must(err)
	t.Cleanup(listener.Close)
	must(listener.Bind(self))
	must(listener.Listen(1))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, failed := gonet.DialContextTCP(ctx, s, self, ip.ProtocolNumber)
	if failed != nil {
		t.Fatal(failed)
	}
	t.Cleanup(func() { c.Close() })
	<-arrived
	accepted, _, err := listener.Accept(nil)
	must(err)
	t.Cleanup(accepted.Close)
	return &stream{gvisorConn: c}, far{accepted}
}

// mustBreak waits until writing fails.
func mustBreak(t *testing.T, s *stream) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if _, err := s.Write([]byte("x")); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("writing goes on")
		}
	}
}

func TestResetThatAWriterHeardOfIsNoCleanEnd(t *testing.T) {
	s, far := connected(t)
	far.reset()
	mustBreak(t, s)
	if _, err := s.gvisorConn.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("gVisor itself says %v now: is stream still needed?", err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want a reset", err)
	}
	if err := s.CloseWrite(); err == nil {
		t.Error("ended cleanly")
	}
}

func TestCleanEnds(t *testing.T) {
	for name, act := range map[string]func(s *stream, far far){
		"the far side's":                  func(_ *stream, far far) { far.end() },
		"this side's, then the far one's": func(s *stream, far far) { s.CloseWrite(); far.end() },
	} {
		t.Run(name, func(t *testing.T) {
			s, far := connected(t)
			act(s, far)
			s.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := s.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("read %v, want the end", err)
			}
		})
	}
}

func TestNothingIsWrittenAfterACleanEnd(t *testing.T) {
	s, far := connected(t)
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	far.reset()
	if _, err := s.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("wrote: %v", err)
	}
	s.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read %v, want a reset", err)
	}
}
