package socket

import (
	"encoding/binary"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listener hands out the connections to a port of 127.0.0.1.
type Listener struct {
	file *os.File
	raw  syscall.RawConn
	port uint16
}

// Listen listens in the calling thread's network namespace, on port, or on a free one
// for 0. Connections have the listener's options from the start: reset on close, and
// small writes sent at once.
func Listen(port uint16) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if port, err = listen(fd, port); err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "listener")
	raw, _ := file.SyscallConn() // fails on a nil file only
	return &Listener{file, raw, port}, nil
}

func listen(fd int, port uint16) (uint16, error) {
	if err := Prepare(fd); err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return 0, os.NewSyscallError("listen", err)
	}
	return boundPort(fd)
}

// Prepare gives a socket the options of a relay's: closing it means reset until its
// relay has seen it complete, since a cut stream must not look complete; and small
// writes go out at once.
func Prepare(fd int) error {
	if err := resetOnClose(fd, true); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// Port is where it listens.
func (l *Listener) Port() uint16 { return l.port }

// Close ends Accept.
func (l *Listener) Close() error { return l.file.Close() }

// Accept waits for a connection.
func (l *Listener) Accept() (c *Conn, err error) {
	closed := l.raw.Read(func(fd uintptr) bool {
		for {
			n, _, failed := unix.RawSyscall6(unix.SYS_ACCEPT4, fd, 0, 0, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0, 0)
			switch failed {
			case 0:
				c = take(int(n))
				return true
			case unix.EAGAIN:
				return false
			case unix.ECONNABORTED, unix.EINTR: // this one is gone, the next may be there
			default:
				err = os.NewSyscallError("accept", failed)
				return true
			}
		}
	})
	if closed != nil {
		return nil, os.ErrClosed
	}
	return c, err
}

// Original asks connection tracking what the program dialled before nftables diverted
// it to the listener.
func (c *Conn) Original() (original netip.AddrPort, err error) {
	closed := c.raw.Control(func(fd uintptr) {
		const soOriginalDst = 80
		// The option gives a sockaddr_in of 16 bytes; this call is the one of the
		// package that fetches as many.
		var m *unix.IPv6Mreq
		if m, err = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, soOriginalDst); err == nil {
			address := m.Multiaddr // family, port, address, zeros
			original = netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[4:8])), binary.BigEndian.Uint16(address[2:4]))
		}
	})
	if closed != nil {
		return original, closed
	}
	return original, os.NewSyscallError("getsockopt", err)
}
