package relay

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"gstacks/meshd/internal/socket"
)

// Most streams are short: a small buffer carries them with fewer system calls than
// a pipe, and an idle stream holds little. Whoever fills it gets a pipe.
var small = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// answerWait is how long what is owed to dst waits for the first bytes of src, to
// travel in one packet with them.
const answerWait = time.Millisecond

// carry copies plain bytes between kernel sockets until src ends.
func carry(dst, src *Side, count *meter) error {
	buf := small.Get().(*[4 << 10]byte)
	full, err := exchange(dst, src, buf[:], count)
	small.Put(buf)
	if !full || err != nil {
		return err
	}
	dst.boundUnsent()
	src.boundReceived()
	return socket.Splice(dst.kernel, src.kernel, &count.bytes)
}

// exchange copies until src ends, or has more than fits into buf at once. The last
// bytes wait in the kernel for the end that follows, and share its packet.
func exchange(dst, src *Side, buf []byte, count *meter) (full bool, err error) {
	owed := copy(buf, dst.owed)
	for {
		n, err := src.next(buf[owed:], owed > 0)
		ended := err == io.EOF
		if err != nil && !ended {
			return false, err
		}
		if !ended && n > 0 && owed+n < len(buf) {
			more, err := src.kernel.TryRead(buf[owed+n:])
			if ended = err == io.EOF; err != nil && !ended {
				return false, err
			}
			n += more
		}
		if owed+n > 0 {
			send := dst.kernel.Write
			if ended {
				send = dst.kernel.WriteMore
			}
			if _, err := send(buf[:owed+n]); err != nil {
				return false, socket.WriteError{Err: err}
			}
			count.add(n)
		}
		if ended || owed+n == len(buf) {
			return !ended, nil
		}
		owed = 0
	}
}

// next reads; in a hurry it returns with nothing when nothing comes at once.
func (s *Side) next(buf []byte, hurry bool) (int, error) {
	if !hurry {
		return s.kernel.Read(buf)
	}
	s.kernel.SetReadDeadline(time.Now().Add(answerWait))
	n, err := s.kernel.Read(buf)
	s.kernel.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}
