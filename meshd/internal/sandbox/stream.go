package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const maxAcceptPause = time.Second

// accept hands each connection to the handler until the listener is closed.
func (s *Sandbox) accept() {
	pause := time.Duration(0)
	for {
		c, err := s.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors or memory: wait until some are free
			pause = min(max(2*pause, 5*time.Millisecond), maxAcceptPause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		original, err := originalDestination(c)
		if err != nil || !Virtual.Contains(original.Addr()) {
			reset(c) // a program found the listener itself: it stands for nothing
			continue
		}
		go s.handler(s.ref.ID, original, c)
	}
}

// originalDestination asks connection tracking what the program dialled before
// nftables diverted it.
func originalDestination(c *net.TCPConn) (original netip.AddrPort, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return original, err
	}
	e := raw.Control(func(fd uintptr) {
		const soOriginalDst = 80
		// The option gives a sockaddr_in of 16 bytes; this call is the one of
		// the package that fetches as many.
		var m *unix.IPv6Mreq
		if m, err = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, soOriginalDst); err == nil {
			address := m.Multiaddr // family, port, address, zeros
			original = netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[4:8])), binary.BigEndian.Uint16(address[2:4]))
		}
	})
	return original, errors.Join(err, e)
}

func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

var dialTargets = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// Dial connects to a port of the sandbox's own loopback, IPv4 first. The error
// is the one of 127.0.0.1, as few programs listen on ::1 alone.
func (s *Sandbox) Dial(ctx context.Context, port uint16) (*net.TCPConn, error) {
	dialer := net.Dialer{KeepAlive: -1, ControlContext: s.socketInside}
	dialer.SetMultipathTCP(false)
	var first error
	for _, target := range dialTargets {
		c, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(target, port).String())
		if err == nil && c.LocalAddr().String() == c.RemoteAddr().String() {
			c.Close() // a socket that met itself: nobody listens
			err = unix.ECONNREFUSED
		}
		if err == nil {
			return c.(*net.TCPConn), nil
		}
		if first == nil {
			first = err
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			break
		}
	}
	return nil, fmt.Errorf("sandbox %s: %w", s.ref.ID, first)
}

// socketInside puts a socket made inside the namespace in the place of the one
// that the dialer has just made outside: connecting and waiting are left to net,
// which knows about deadlines.
func (s *Sandbox) socketInside(_ context.Context, network, _ string, raw syscall.RawConn) error {
	sockets := s.sockets4
	if network == "tcp6" {
		sockets = s.sockets6
	}
	inside, err := sockets.Take()
	if err != nil {
		return err
	}
	defer unix.Close(inside)
	e := raw.Control(func(fd uintptr) { err = unix.Dup3(inside, int(fd), unix.O_CLOEXEC) })
	return errors.Join(err, e)
}
