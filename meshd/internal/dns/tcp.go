package dns

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	maxConnections = 64 // per listener; further ones are closed at once
	maxTCPQuery    = 4096
	acceptPause    = 50 * time.Millisecond
)

// idleTimeout bounds the wait for a whole query (RFC 7766, 6.2.3: some seconds);
// tests shorten it.
var idleTimeout = 10 * time.Second

// ServeTCP answers from the current zone until the listener is closed, and
// returns when its connections are closed too.
func ServeTCP(l *net.TCPListener, zone func() *Zone) {
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		open    = make(map[*net.TCPConn]struct{})
	)
	defer running.Wait()
	for {
		c, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil { // out of descriptors or memory: wait until some are free
			time.Sleep(acceptPause)
			continue
		}
		mu.Lock()
		full := len(open) >= maxConnections
		if !full {
			open[c] = struct{}{}
		}
		mu.Unlock()
		if full {
			c.Close()
			continue
		}
		running.Go(func() {
			serveConnection(c, zone)
			mu.Lock()
			delete(open, c)
			mu.Unlock()
			c.Close()
		})
	}
	mu.Lock()
	defer mu.Unlock()
	for c := range open {
		c.Close()
	}
}

// serveConnection answers queries, each after its two bytes of length, until the
// client closes, idles or breaks the framing.
func serveConnection(c *net.TCPConn, zone func() *Zone) {
	in := bufio.NewReaderSize(c, 512)
	query := make([]byte, 0, 512)
	out := make([]byte, 0, 512)
	response := make([]byte, 0, 512)
	for {
		if err := c.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(length[:]))
		if n > maxTCPQuery {
			return
		}
		query = append(query[:0], make([]byte, n)...)
		if _, err := io.ReadFull(in, query); err != nil {
			return
		}
		response = zone().Answer(query, false, response)
		if response == nil || len(response) > 0xffff {
			return
		}
		out = binary.BigEndian.AppendUint16(out[:0], uint16(len(response)))
		out = append(out, response...)
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}
