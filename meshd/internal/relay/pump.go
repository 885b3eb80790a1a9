package relay

import (
	"io"
	"sync"

	"gstacks/meshd/internal/socket"
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// pump copies from src to dst until src ends, and counts as it goes. Between two
// kernel sockets with plain bytes see carry; everything else goes through one pooled
// buffer, with ReaderFrom and WriterTo hidden because they would fall back to a
// fresh buffer of their own.
func pump(dst, src *Side, count *meter) error {
	if src.kernel != nil && dst.kernel != nil && src.in == nil && dst.out == nil && len(src.ahead) == 0 {
		return carry(dst, src, count)
	}
	if len(dst.owed) > 0 {
		if _, err := dst.conn.Write(dst.owed); err != nil {
			return socket.WriteError{Err: err}
		}
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	_, err := io.CopyBuffer(counter{dst.writer(), count}, struct{ io.Reader }{src.reader()}, *buf)
	return err
}

type counter struct {
	w     io.Writer
	count *meter
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.count.add(n)
	if err != nil {
		err = socket.WriteError{Err: err}
	}
	return n, err
}
