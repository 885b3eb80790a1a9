package relay

import (
	"bytes"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/socket"
	"gstacks/meshd/internal/wire"
)

// Side is one end of a flow: a socket in a sandbox, or a mesh stream. Each of its
// directions is raw (FIN is end, RST is abort) or chunked (the sender has no RST).
type Side struct {
	conn   stream
	kernel *socket.Conn // conn when it is a kernel socket, else nil
	// bounded says that its kernel buffers are to be bounded; those of mesh streams
	// are by the settings of their namespace.
	bounded bool
	owed    []byte // to be sent before the first bytes, and if possible with them
	ahead   []byte // was read before the flow began
	in      *wire.ChunkReader
	out     *wire.ChunkWriter
}

// stream is a kernel socket, or a connection of gVisor's.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
	SetWriteDeadline(time.Time) error
}

// Local wraps a socket in a sandbox, which resets on close from its beginning; see
// socket.Prepare.
func Local(c *socket.Conn) *Side { return &Side{conn: c, kernel: c, bounded: true} }

// Unix wraps a Unix socket. It knows no reset: a broken stream is closed.
func Unix(c *net.UnixConn) *Side { return &Side{conn: c} }

// Bounds on what a stalled reader makes the kernel hold. On the sending side only
// what is not under way yet is bounded, which costs no throughput. On the receiving
// side the buffer no longer grows by itself: left alone it was seen to grow to 14 MB.
// Without the privilege to set it, it stays as the system has it.
const mostUnsent, mostReceived = 256 << 10, 1 << 20

func (s *Side) boundUnsent() {
	if s.bounded {
		s.kernel.Set(unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent)
	}
}

func (s *Side) boundReceived() {
	if s.bounded {
		s.kernel.Set(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, mostReceived)
	}
}

// Mesh wraps a mesh stream, with the directions that are chunked. Until the flow has
// completed, closing it means reset.
func Mesh(c net.Conn, in, out bool) *Side {
	s := &Side{}
	if tcp, ok := c.(*net.TCPConn); ok {
		s.kernel = socket.From(tcp)
		s.kernel.ResetOnClose(true)
		s.kernel.Set(unix.IPPROTO_TCP, unix.TCP_QUICKACK, ackWithData)
		s.conn = s.kernel
	} else {
		s.conn = c.(stream)
	}
	s.ChunkIn(in)
	if out {
		s.out = wire.NewChunkWriter(c)
	}
	return s
}

// Values of TCP_QUICKACK: acknowledge with the answer, which is a packet less, or at once.
const ackWithData, ackNow = 0, 1

// opened is for a mesh stream that was just dialled. Its handshake's last
// acknowledgement waits for the source's first bytes. A source that has none yet may
// want to hear the target first, whose end cannot come before the handshake's.
func (s *Side) opened(source *Side) {
	if s.kernel != nil && !s.bounded && source.kernel != nil && !source.kernel.Waiting() {
		s.kernel.Set(unix.IPPROTO_TCP, unix.TCP_QUICKACK, ackNow)
	}
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

// ReadAlready has the flow begin with bytes that were read from the side before it.
func (s *Side) ReadAlready(p []byte) { s.ahead = p }

func (s *Side) reader() io.Reader {
	switch {
	case s.in != nil:
		return s.in
	case len(s.ahead) > 0:
		return io.MultiReader(bytes.NewReader(s.ahead), s.conn)
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
	return s.conn.CloseWrite()
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
	if s.kernel != nil {
		s.kernel.ResetOnClose(false)
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
