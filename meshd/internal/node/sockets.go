package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connect connects a socket that was made in another namespace and sends first,
// from any thread: a peer that does not answer pins none.
func connect(ctx context.Context, fd int, to netip.AddrPort, first []byte) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "mesh")
	defer f.Close() // FileConn duplicates
	sent, err := startConnect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}, first)
	if err == nil || errors.Is(err, unix.EINPROGRESS) {
		err = await(ctx, f)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %v: %w", to, err)
	}
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	c.(*net.TCPConn).SetKeepAliveConfig(keepAlive)
	if rest := first[sent:]; len(rest) > 0 {
		if _, err := c.Write(rest); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// startConnect sends the SYN, and says how much of first went with it.
func startConnect(fd int, to *unix.SockaddrInet4, first []byte) (sent int, err error) {
	if len(first) > 0 {
		sent, err = unix.SendmsgN(fd, first, nil, to, unix.MSG_FASTOPEN|unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EOPNOTSUPP) {
			return max(sent, 0), err
		}
	}
	return 0, unix.Connect(fd, to)
}

// acceptWithSYN makes a listener take data that comes with a SYN.
func acceptWithSYN(_, _ string, raw syscall.RawConn) (err error) {
	const waiting = 1024 // connections that have not been acknowledged yet
	closed := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, waiting)
	})
	return errors.Join(err, closed)
}

// await waits for a connect that is in progress.
func await(ctx context.Context, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		pending, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			failed = err
		case pending != 0:
			failed = unix.Errno(pending)
		default:
			_, err := unix.Getpeername(int(fd))
			return err == nil // else still connecting
		}
		return true
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(err, failed)
}

// ackWithData makes a socket keep the handshake's last acknowledgement back for a
// moment, so that it shares a packet with the client's first bytes.
func ackWithData(fd int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0))
}
