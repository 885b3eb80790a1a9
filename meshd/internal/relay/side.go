package relay

import (
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/wire"
)

// Side is one end of a flow: a socket in a sandbox, or a mesh stream. Each of its
// directions is raw (FIN is end, RST is abort) or chunked (the sender has no RST).
type Side struct {
	conn net.Conn
	tcp  *net.TCPConn // conn when it is a kernel socket, else nil
	raw  syscall.RawConn
	// bounded says that its kernel buffers are to be bounded; those of mesh streams
	// are by the settings of their namespace.
	bounded bool
	owed    []byte // to be sent before the first bytes, and if possible with them
	in      *wire.ChunkReader
	out     *wire.ChunkWriter
}

// Raw wraps a connection whose both directions are plain bytes. Until the flow has
// completed, closing it means reset, also when the kernel closes it because this
// process was killed: a cut stream must not look complete.
func Raw(c net.Conn) *Side {
	s := wrap(c)
	if s.tcp != nil {
		s.tcp.SetLinger(0)
	}
	return s
}

// Local wraps a socket in a sandbox, which resets on close from its beginning; see
// package sandbox.
func Local(c *net.TCPConn) *Side {
	s := wrap(c)
	s.bounded = true
	return s
}

func wrap(c net.Conn) *Side {
	s := &Side{conn: c}
	if tcp, ok := c.(*net.TCPConn); ok {
		s.tcp = tcp
		s.raw, _ = tcp.SyscallConn() // fails on a nil connection only
	}
	return s
}

// Bounds on what a stalled reader makes the kernel hold. On the sending side only
// what is not under way yet is bounded, which costs no throughput. On the receiving
// side the buffer no longer grows by itself: left alone it was seen to grow to 14 MB.
// Without the privilege to set it, it stays as the system has it.
const mostUnsent, mostReceived = 256 << 10, 1 << 20

func (s *Side) boundUnsent() {
	if !s.bounded {
		return
	}
	s.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent) })
}

func (s *Side) boundReceived() {
	if !s.bounded {
		return
	}
	s.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, mostReceived) })
}

// Mesh wraps a mesh stream, with the directions that are chunked.
func Mesh(c net.Conn, in, out bool) *Side {
	s := Raw(c)
	s.ChunkIn(in)
	if out {
		s.out = wire.NewChunkWriter(c)
	}
	return s
}

// Owe has the frame sent ahead of the first bytes that the other side has to say:
// with them if they come at once, else alone.
func (s *Side) Owe(frame []byte) { s.owed = frame }

// ChunkIn sets how the bytes that arrive are read; the source learns that from
// the verdict, before it reads any.
func (s *Side) ChunkIn(on bool) {
	if on {
		s.in = wire.NewChunkReader(s.conn)
	}
}

func (s *Side) reader() io.Reader {
	if s.in != nil {
		return s.in
	}
	return s.conn
}

func (s *Side) writer() io.Writer {
	if s.out != nil {
		return s.out
	}
	return s.conn
}

// end says that no more bytes come in this direction.
func (s *Side) end() error {
	if s.out != nil {
		if err := s.out.End(); err != nil {
			return err
		}
	}
	if w, ok := s.conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// reset breaks the connection off so that the peer knows that it was broken.
func (s *Side) reset() {
	if s.out != nil {
		s.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		s.out.Abort()
	}
	s.conn.Close()
}

// close ends a connection whose both directions have ended already.
func (s *Side) close() {
	if s.tcp != nil {
		s.tcp.SetLinger(-1)
	}
	s.conn.Close()
}

// signOfLife is how often an idle chunked direction is used; kernel sockets have
// keep-alives of their own.
const signOfLife = 20 * time.Second

// keepAlive finds a vanished peer of a chunked direction, until stop is closed.
func (s *Side) keepAlive(every time.Duration, stop <-chan struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			if s.out.Ping() != nil {
				return // the pumps see the same
			}
		}
	}
}

// passed asks the kernel how many bytes a plain socket has received and sent.
func (s *Side) passed() (received, sent int64) {
	if s.tcp == nil || s.in != nil || s.out != nil {
		return 0, 0
	}
	s.raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			received, sent = int64(info.Bytes_received), int64(info.Bytes_sent-info.Bytes_retrans)
		}
	})
	return received, sent
}
