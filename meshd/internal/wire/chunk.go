package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A direction whose sender cannot send a TCP reset travels in chunks of
// [1 byte type][4 bytes big-endian length][payload].
const (
	chunkData  = 0 // payload; an empty one only shows that the sender lives
	chunkEnd   = 1 // the sender is done: what a FIN says
	chunkAbort = 2 // the sender broke off: what a reset says

	chunkHeader = 5
	// MaxChunk bounds a payload: a header that claims more is garbage.
	MaxChunk = 1 << 20
)

// ErrAborted is a chunked stream that ended without saying that it was complete.
var ErrAborted = errors.New("stream aborted by the peer")

// ChunkReader turns chunks back into a byte stream: io.EOF after end, ErrAborted
// after abort or when the connection closes without end.
type ChunkReader struct {
	r    io.Reader
	left uint32
	err  error
}

func NewChunkReader(r io.Reader) *ChunkReader { return &ChunkReader{r: r} }

func (c *ChunkReader) Read(p []byte) (int, error) {
	for c.left == 0 && c.err == nil {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if uint64(len(p)) > uint64(c.left) {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= uint32(n)
	if err != nil && (c.left > 0 || n == 0) {
		c.err = cut(err)
		return n, c.err
	}
	return n, nil
}

// next reads one header.
func (c *ChunkReader) next() error {
	var head [chunkHeader]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return cut(err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	switch {
	case size > MaxChunk:
		return fmt.Errorf("chunk of %d bytes exceeds %d", size, MaxChunk)
	case head[0] == chunkData:
		c.left = size
		return nil
	case size != 0:
		return fmt.Errorf("chunk type %d with a payload", head[0])
	case head[0] == chunkEnd:
		return io.EOF
	case head[0] == chunkAbort:
		return ErrAborted
	}
	return fmt.Errorf("unknown chunk type %d", head[0])
}

// cut names a connection that ended in the middle for what it is.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrAborted
	}
	return err
}

// ChunkWriter writes chunks, each in a single write. Abort may come from another
// goroutine than the one that writes data.
type ChunkWriter struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

func NewChunkWriter(w io.Writer) *ChunkWriter { return &ChunkWriter{w: w} }

// Write sends p as data, split when it is longer than buffers are.
func (c *ChunkWriter) Write(p []byte) (int, error) {
	const piece = 64 << 10
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := 0
	for len(p) > 0 {
		n := min(len(p), piece)
		if err := c.put(chunkData, p[:n]); err != nil {
			return sent, err
		}
		sent, p = sent+n, p[n:]
	}
	return sent, nil
}

// Ping shows that the sender lives: a peer that has vanished does not acknowledge
// it, and the connection fails. While a writer is at work there is no need.
func (c *ChunkWriter) Ping() error {
	if !c.mu.TryLock() {
		return nil
	}
	defer c.mu.Unlock()
	return c.put(chunkData, nil)
}

// End says that this direction is complete.
func (c *ChunkWriter) End() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.put(chunkEnd, nil)
}

// Abort says that this direction broke off, unless a writer is at work: then the
// caller closes the connection, which says the same.
func (c *ChunkWriter) Abort() {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		c.put(chunkAbort, nil)
	}
}

func (c *ChunkWriter) put(kind byte, p []byte) error {
	c.buf = append(c.buf[:0], kind, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(c.buf[1:], uint32(len(p)))
	c.buf = append(c.buf, p...)
	_, err := c.w.Write(c.buf)
	return err
}
