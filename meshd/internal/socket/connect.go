package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Connect connects an unconnected non-blocking socket, which it owns from then on,
// within the given time.
func Connect(ctx context.Context, fd int, to netip.AddrPort, within time.Duration) (*Conn, error) {
	c := take(fd)
	err := ctx.Err()
	if err == nil {
		err = c.connect(ctx, sockaddr(to), within)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connect calls the system's connect until it has come to something. On one machine
// the second call, at once, finds the connection made: no timer is set for it, and
// nobody waits for the poller.
func (c *Conn) connect(ctx context.Context, to []byte, within time.Duration) error {
	var failed syscall.Errno
	attempt := func(fd uintptr) bool {
		if failed = start(fd, to); failed == unix.EINPROGRESS {
			failed = start(fd, to)
		}
		return failed != unix.EALREADY
	}
	done := false
	if closed := c.raw.Control(func(fd uintptr) { done = attempt(fd) }); closed != nil {
		return closed
	}
	if !done {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
		waited := c.raw.Write(attempt)
		if !stop() { // also when it came up just then: its deadline is over
			return ctx.Err()
		}
		if waited != nil {
			return waited
		}
	}
	if failed != 0 {
		return os.NewSyscallError("connect", failed)
	}
	return nil
}

func start(fd uintptr, to []byte) syscall.Errno {
	_, _, failed := unix.RawSyscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&to[0])), uintptr(len(to)))
	return failed
}

// sockaddr is the address as the kernel wants it: struct sockaddr_in or sockaddr_in6.
func sockaddr(to netip.AddrPort) []byte {
	family, size, at := uint16(unix.AF_INET), unix.SizeofSockaddrInet4, 4
	if to.Addr().Is6() {
		family, size, at = unix.AF_INET6, unix.SizeofSockaddrInet6, 8
	}
	b := make([]byte, size)
	binary.NativeEndian.PutUint16(b, family)
	binary.BigEndian.PutUint16(b[2:], to.Port())
	copy(b[at:], to.Addr().AsSlice())
	return b
}

// LocalPort is the port that the connection has on this side.
func (c *Conn) LocalPort() (port uint16, err error) {
	closed := c.raw.Control(func(fd uintptr) { port, err = boundPort(int(fd)) })
	return port, errors.Join(closed, err)
}

// RemoteAddr is the IPv4 address that the connection comes from.
func (c *Conn) RemoteAddr() (from netip.Addr, err error) {
	closed := c.raw.Control(func(fd uintptr) {
		var address [unix.SizeofSockaddrInet6]byte
		if address, err = name(unix.SYS_GETPEERNAME, "getpeername", int(fd)); err == nil {
			from = netip.AddrFrom4([4]byte(address[4:8]))
		}
	})
	return from, errors.Join(closed, err)
}

func boundPort(fd int) (uint16, error) {
	address, err := name(unix.SYS_GETSOCKNAME, "getsockname", fd)
	return binary.BigEndian.Uint16(address[2:]), err // in the same place for both families
}

func name(call uintptr, what string, fd int) (address [unix.SizeofSockaddrInet6]byte, err error) {
	size := uint32(len(address))
	_, _, failed := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&address)), uintptr(unsafe.Pointer(&size)))
	if failed != 0 {
		err = os.NewSyscallError(what, failed)
	}
	return address, err
}
