package netns

import (
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Sockets keeps a few unconnected TCP sockets of a namespace at hand, because
// entering the namespace costs more than making the sockets. Prepare, if set, is
// called with each new one.
type Sockets struct {
	Namespace *os.File
	Family    int
	Prepare   func(fd int) error

	mu     sync.Mutex
	fds    []int
	closed bool
}

const atHand = 16

// Take gives away one socket, non-blocking and closed on exec.
func (s *Sockets) Take() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return -1, net.ErrClosed
	}
	if len(s.fds) == 0 {
		if err := Within(s.Namespace, s.fill); err != nil {
			return -1, err
		}
	}
	fd := s.fds[len(s.fds)-1]
	s.fds = s.fds[:len(s.fds)-1]
	return fd, nil
}

func (s *Sockets) fill() error {
	for range atHand {
		fd, err := unix.Socket(s.Family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
		if err != nil {
			if len(s.fds) > 0 {
				return nil
			}
			return fmt.Errorf("make socket: %w", err)
		}
		if s.Prepare != nil {
			if err := s.Prepare(fd); err != nil {
				unix.Close(fd)
				return err
			}
		}
		s.fds = append(s.fds, fd)
	}
	return nil
}

// Close closes those that nobody took.
func (s *Sockets) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, fd := range s.fds {
		unix.Close(fd)
	}
	s.fds = nil
}
