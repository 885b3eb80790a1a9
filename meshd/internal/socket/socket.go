// Package socket is kernel TCP as a relay needs it: one non-blocking system call per
// step, and none that package net makes to be ready for what a relay never does
// (duplicating descriptors, asking for names, setting options that a listener has
// handed down already).
//
// It promises that a call waits in the runtime's poller and nowhere else, and that a
// descriptor is never used after it was closed, whoever closes it when.
//
// Short calls go through RawSyscall. They cannot block, and telling the scheduler of
// each cost a wake-up of another thread and one of the runtime's monitor for every
// relayed connection (now for every seventh and third).
package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn is a TCP connection. All methods may be called at any time; one goroutine at a
// time may read, and one write.
type Conn struct {
	handle
	raw syscall.RawConn
	// reset says that a write was told of a reset; see ended.
	reset atomic.Bool
}

// handle is what *os.File and *net.TCPConn have in common.
type handle interface {
	io.Closer
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	SyscallConn() (syscall.RawConn, error)
}

// take makes a non-blocking socket a Conn, which owns it.
func take(fd int) *Conn { return wrap(os.NewFile(uintptr(fd), "stream")) }

// From makes a connection of package net a Conn.
func From(c *net.TCPConn) *Conn { return wrap(c) }

func wrap(h handle) *Conn {
	raw, _ := h.SyscallConn() // fails on a nil handle only
	return &Conn{handle: h, raw: raw}
}

// Read reads what there is, and waits when there is nothing.
func (c *Conn) Read(p []byte) (n int, err error) {
	closed := c.raw.Read(func(fd uintptr) bool {
		n, err = receive(fd, p)
		return err != unix.EAGAIN
	})
	return c.ended(n, len(p), err, closed)
}

// AwaitByte waits until there is something to be read, and leaves it there. It returns
// io.EOF when the other side has ended instead.
func (c *Conn) AwaitByte() error {
	var n int
	var err error
	first := make([]byte, 1)
	closed := c.raw.Read(func(fd uintptr) bool {
		n, err = moved(unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&first[0])), 1, unix.MSG_PEEK, 0, 0))
		return err != unix.EAGAIN
	})
	_, err = c.ended(n, 1, err, closed)
	return err
}

// TryRead is Read without the wait: it returns 0 and no error when there is nothing.
func (c *Conn) TryRead(p []byte) (n int, err error) {
	closed := c.raw.Read(func(fd uintptr) bool {
		n, err = receive(fd, p)
		return true
	})
	if err == unix.EAGAIN {
		return 0, closed
	}
	return c.ended(n, len(p), err, closed)
}

// ended words what a read came to.
//
// The kernel tells of a reset once, to whoever asks first. When that was a writer, the
// reader then reads nothing, as after a clean end. So of a connection that is gone the
// reader first hears what the writer was told; that one no longer waits for anything.
func (c *Conn) ended(n, wanted int, err, closed error) (int, error) {
	switch {
	case closed != nil:
		return 0, closed
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n > 0 || wanted == 0:
		return n, nil
	case c.gone() && c.writeFailedByReset():
		return 0, os.NewSyscallError("read", unix.ECONNRESET)
	}
	return 0, io.EOF
}

// gone tells whether neither side can send anymore.
func (c *Conn) gone() (closed bool) {
	c.raw.Control(func(fd uintptr) {
		var state [1]byte // tcpi_state, the first field of struct tcp_info
		size := uint32(len(state))
		_, _, failed := unix.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
			uintptr(unsafe.Pointer(&state)), uintptr(unsafe.Pointer(&size)), 0)
		closed = failed == 0 && state[0] == unix.BPF_TCP_CLOSE
	})
	return closed
}

// writeFailedByReset waits for a write that is under way.
func (c *Conn) writeFailedByReset() bool {
	c.raw.Write(func(uintptr) bool { return true })
	return c.reset.Load()
}

// wrote notes, before the next write may begin, what a write was told. What it is told
// of a reset that follows on an end is another error.
func (c *Conn) wrote(err error) {
	if err == unix.ECONNRESET {
		c.reset.Store(true)
	}
}

// Write sends all of p.
func (c *Conn) Write(p []byte) (int, error) { return c.send(p, 0) }

// WriteMore sends all of p, but its last part only with what comes next: more bytes,
// or the end.
func (c *Conn) WriteMore(p []byte) (int, error) { return c.send(p, unix.MSG_MORE) }

func (c *Conn) send(p []byte, flags uintptr) (sent int, err error) {
	closed := c.raw.Write(func(fd uintptr) bool {
		for sent < len(p) && err == nil {
			var n int
			n, err = transmit(fd, p[sent:], flags)
			sent += n
		}
		c.wrote(err)
		if err != unix.EAGAIN {
			return true
		}
		err = nil
		return false
	})
	if closed != nil {
		return sent, closed
	}
	return sent, os.NewSyscallError("send", err)
}

// CloseWrite says that no more bytes come.
func (c *Conn) CloseWrite() (err error) {
	closed := c.raw.Control(func(fd uintptr) {
		if _, _, failed := unix.RawSyscall(unix.SYS_SHUTDOWN, fd, unix.SHUT_WR, 0); failed != 0 {
			err = os.NewSyscallError("shutdown", failed)
		}
	})
	return errors.Join(closed, err)
}

// Waiting tells whether there are bytes to be read.
func (c *Conn) Waiting() (some bool) {
	c.raw.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
		some = err == nil && n > 0
	})
	return some
}

// ResetOnClose makes closing mean reset, also when the kernel closes it because this
// process was killed.
func (c *Conn) ResetOnClose(on bool) {
	c.raw.Control(func(fd uintptr) { resetOnClose(int(fd), on) })
}

// Set sets an option; what the kernel does not allow stays as it is.
func (c *Conn) Set(level, option, value int) {
	c.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), level, option, value) })
}

func resetOnClose(fd int, on bool) error {
	l := unix.Linger{}
	if on {
		l.Onoff = 1
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &l))
}

func receive(fd uintptr, p []byte) (int, error) {
	return moved(unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0))
}

func transmit(fd uintptr, p []byte, flags uintptr) (int, error) {
	return moved(unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags|unix.MSG_NOSIGNAL, 0, 0))
}

func moved(n, _ uintptr, failed syscall.Errno) (int, error) {
	if failed != 0 {
		return 0, failed
	}
	return int(n), nil
}
