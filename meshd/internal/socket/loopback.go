package socket

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

var loopback4, loopback6 = netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()

// Maker makes an unconnected non-blocking socket, which decides whose loopback is meant.
type Maker func() (fd int, err error)

// Here makes sockets of the process's own network namespace.
func Here(family int) Maker {
	return func() (int, error) {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
		if err != nil {
			return -1, fmt.Errorf("make socket: %w", err)
		}
		if err := Prepare(fd); err != nil {
			unix.Close(fd)
			return -1, err
		}
		return fd, nil
	}
}

// Loopback connects to a port of the loopback, IPv4 first, each within the given time.
// The error is the one of 127.0.0.1, as few programs listen on ::1 alone.
func Loopback(ctx context.Context, make4, make6 Maker, port uint16, within time.Duration) (*Conn, error) {
	c, err := dialOne(ctx, make4, netip.AddrPortFrom(loopback4, port), within)
	if errors.Is(err, unix.ECONNREFUSED) {
		if c, second := dialOne(ctx, make6, netip.AddrPortFrom(loopback6, port), within); second == nil {
			return c, nil
		}
	}
	return c, err
}

func dialOne(ctx context.Context, make Maker, to netip.AddrPort, within time.Duration) (*Conn, error) {
	fd, err := make()
	if err != nil {
		return nil, err
	}
	c, err := Connect(ctx, fd, to, within)
	if err != nil {
		return nil, err
	}
	// A socket that has the port it was to connect to has met itself: nobody listens.
	if own, err := c.LocalPort(); err != nil || own == to.Port() {
		c.Close()
		return nil, errors.Join(err, unix.ECONNREFUSED)
	}
	return c, nil
}
