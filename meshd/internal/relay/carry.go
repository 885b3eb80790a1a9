package relay

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Most streams are short: a small buffer carries them with fewer system calls than
// a pipe, and an idle stream holds little. Whoever fills it gets a pipe.
var small = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// answerWait is how long what is owed to dst waits for the first bytes of src, to
// travel in one packet with them.
const answerWait = time.Millisecond

// carry copies plain bytes between kernel sockets until src ends.
func carry(dst, src *Side, count *atomic.Int64) error {
	buf := small.Get().(*[4 << 10]byte)
	full, err := exchange(dst, src, buf[:], count)
	small.Put(buf)
	if !full || err != nil {
		return err
	}
	dst.boundUnsent()
	src.boundReceived()
	return splice(dst, src, count)
}

// exchange copies until src ends, or has more than fits into buf at once. The last
// bytes wait in the kernel for the end that follows, and share its packet.
func exchange(dst, src *Side, buf []byte, count *atomic.Int64) (full bool, err error) {
	owed := copy(buf, dst.owed)
	if owed > 0 {
		src.tcp.SetReadDeadline(time.Now().Add(answerWait))
	}
	for first := owed > 0; ; first = false {
		n, err := src.tcp.Read(buf[owed:])
		if first {
			src.tcp.SetReadDeadline(time.Time{})
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
		}
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return false, err
		}
		if !ended && n > 0 && owed+n < len(buf) {
			more, state, err := src.peek(buf[owed+n:])
			if err != nil {
				return false, err
			}
			n, ended = n+more, state
		}
		if owed+n > 0 {
			if err := dst.send(buf[:owed+n], ended); err != nil {
				return false, err
			}
			count.Add(int64(n))
		}
		if ended {
			return false, nil
		}
		if owed+n == len(buf) {
			return true, nil
		}
		owed = 0
	}
}

// peek reads what is there already, and tells whether the stream has ended.
func (s *Side) peek(buf []byte) (n int, ended bool, err error) {
	closed := s.raw.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), buf)
		return true
	})
	switch {
	case closed != nil:
		return 0, false, closed
	case err == nil:
		return n, n == 0, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, false, nil
	}
	return 0, false, os.NewSyscallError("read", err)
}

// send writes all of p; held back, its last part waits for what comes next.
func (s *Side) send(p []byte, holdBack bool) error {
	if !holdBack {
		_, err := s.tcp.Write(p)
		return err
	}
	var err error
	closed := s.raw.Write(func(fd uintptr) bool {
		for len(p) > 0 && err == nil {
			var n int
			n, err = unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
			p = p[max(n, 0):]
			switch {
			case errors.Is(err, unix.EAGAIN):
				err = nil
				return false
			case errors.Is(err, unix.EINTR):
				err = nil
			}
		}
		return true
	})
	if closed != nil {
		return closed
	}
	return os.NewSyscallError("sendmsg", err)
}
