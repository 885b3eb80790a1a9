package relay

import (
	"io"
	"sync"
	"sync/atomic"
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// pump copies from src to dst until src ends, and counts as it goes. Between two
// kernel sockets with plain bytes see carry; everything else goes through one pooled
// buffer, with ReaderFrom and WriterTo hidden because they would fall back to a
// fresh buffer of their own.
func pump(dst, src *Side, count *atomic.Int64) error {
	if src.tcp != nil && dst.tcp != nil && src.in == nil && dst.out == nil {
		return carry(dst, src, count)
	}
	if len(dst.owed) > 0 {
		if _, err := dst.conn.Write(dst.owed); err != nil {
			return err
		}
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	_, err := io.CopyBuffer(counter{dst.writer(), count}, struct{ io.Reader }{src.reader()}, *buf)
	return err
}

// splice joins the sockets with splice(2), inside io.Copy. In pieces, so that a long transfer's count is never far behind.
func splice(dst, src *Side, count *atomic.Int64) error {
	const piece = 8 << 20
	for {
		n, err := io.Copy(dst.tcp, &io.LimitedReader{R: src.tcp, N: piece})
		count.Add(n)
		if err != nil || n < piece {
			return err
		}
	}
}

type counter struct {
	w     io.Writer
	count *atomic.Int64
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.count.Add(int64(n))
	return n, err
}
