package socket

import (
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// pipeSize is how much one step of Splice moves, if the system grants such a pipe.
const pipeSize = 1 << 20

// pipe holds what Splice has taken from one socket and not given to the other yet.
type pipe struct {
	ends   *[2]int
	holds  int
	closer runtime.Cleanup
}

// pipes waits for the next stream; one that the collector takes is closed.
var pipes sync.Pool

func takePipe() (*pipe, error) {
	if p, ok := pipes.Get().(*pipe); ok {
		return p, nil
	}
	ends := new([2]int)
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	unix.FcntlInt(uintptr(ends[0]), unix.F_SETPIPE_SZ, pipeSize) // refused beyond a user's share: then it is smaller
	p := &pipe{ends: ends}
	p.closer = runtime.AddCleanup(p, closePipe, *ends)
	return p, nil
}

func closePipe(ends [2]int) { unix.Close(ends[0]); unix.Close(ends[1]) }

// release gives an empty pipe to the next stream.
func (p *pipe) release() {
	if p.holds == 0 {
		pipes.Put(p)
		return
	}
	p.closer.Stop()
	closePipe(*p.ends)
}

// WriteError marks what went wrong at the side that bytes were for.
type WriteError struct{ Err error }

func (e WriteError) Error() string { return e.Err.Error() }

func (e WriteError) Unwrap() error { return e.Err }

// Splice moves bytes from src to dst inside the kernel until src ends, and counts
// them as they leave. What dst fails with is a WriteError.
func Splice(dst, src *Conn, count *atomic.Int64) error {
	p, err := takePipe()
	if err != nil {
		return err
	}
	defer p.release()
	for {
		err := p.fill(src)
		if err == io.EOF {
			return nil
		}
		for err == nil && p.holds > 0 {
			var n int
			if n, err = p.drain(dst); err != nil {
				err = WriteError{err}
			}
			count.Add(int64(n))
		}
		if err != nil {
			return err
		}
	}
}

// fill takes what src has; io.EOF says that it has ended.
func (p *pipe) fill(src *Conn) (err error) {
	closed := src.raw.Read(func(fd uintptr) bool {
		p.holds, err = move(int(fd), p.ends[1], pipeSize)
		return err != unix.EAGAIN
	})
	p.holds, err = src.ended(p.holds, pipeSize, err, closed)
	return err
}

// drain gives to dst what it takes.
func (p *pipe) drain(dst *Conn) (n int, err error) {
	closed := dst.raw.Write(func(fd uintptr) bool {
		n, err = move(p.ends[0], int(fd), p.holds)
		dst.wrote(err)
		return err != unix.EAGAIN
	})
	if closed != nil {
		return 0, closed
	}
	p.holds -= n
	return n, os.NewSyscallError("splice", err)
}

func move(from, to, most int) (int, error) {
	for {
		n, err := unix.Splice(from, nil, to, nil, most, unix.SPLICE_F_NONBLOCK)
		if err != unix.EINTR {
			return max(int(n), 0), err
		}
	}
}
