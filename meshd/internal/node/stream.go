package node

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
)

// gvisorConn is what is used of gVisor's connections.
type gvisorConn interface {
	net.Conn
	CloseWrite() error
}

// stream is a connection of gVisor's whose broken end never looks like a clean one.
//
// gVisor tells of a reset once, to whoever asks first. When that was a writer, a reader
// then hears of a clean end, with no end received. RemoteAddr tells the two apart: a
// connection has one until both sides have ended it, or it broke. After a clean end of
// this side nothing is written, so that nobody takes the reset from the reader.
type stream struct {
	gvisorConn
	ended atomic.Bool // this side, cleanly
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.gvisorConn.Read(p)
	if err == io.EOF && !s.ended.Load() && s.RemoteAddr() == nil {
		err = os.NewSyscallError("read", syscall.ECONNRESET)
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	if s.ended.Load() {
		return 0, os.NewSyscallError("write", syscall.EPIPE)
	}
	return s.gvisorConn.Write(p)
}

func (s *stream) CloseWrite() error {
	err := s.gvisorConn.CloseWrite()
	if err == nil {
		s.ended.Store(true)
	}
	return err
}

// streams makes what a listener accepts streams.
type streams struct{ net.Listener }

func (l streams) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &stream{gvisorConn: c.(gvisorConn)}, nil
}
