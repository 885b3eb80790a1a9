package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/netns"
)

// stash keeps a few unconnected sockets of a namespace at hand, because entering
// the namespace costs more than making the sockets.
type stash struct {
	ns     *os.File
	mu     sync.Mutex
	fds    []int
	closed bool
}

const stashSize = 16

func (s *stash) take() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return -1, net.ErrClosed
	}
	if len(s.fds) == 0 {
		if err := netns.Within(s.ns, s.fill); err != nil {
			return -1, err
		}
	}
	fd := s.fds[len(s.fds)-1]
	s.fds = s.fds[:len(s.fds)-1]
	return fd, nil
}

func (s *stash) fill() error {
	for range stashSize {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
		if err != nil {
			if len(s.fds) > 0 {
				return nil
			}
			return fmt.Errorf("make mesh socket: %w", err)
		}
		s.fds = append(s.fds, fd)
	}
	return nil
}

func (s *stash) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, fd := range s.fds {
		unix.Close(fd)
	}
	s.fds = nil
}

// connect connects a socket that was made in another namespace, from any thread: a
// peer that does not answer pins none.
func connect(ctx context.Context, fd int, to netip.AddrPort) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "mesh")
	defer f.Close() // FileConn duplicates
	err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if errors.Is(err, unix.EINPROGRESS) {
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
	return c, nil
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
