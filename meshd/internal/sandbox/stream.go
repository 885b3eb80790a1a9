package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gstacks/meshd/internal/socket"
)

const maxAcceptPause = time.Second

// accept hands each connection to the handler until the listener is closed.
func (s *Sandbox) accept() {
	pause := time.Duration(0)
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors or memory: wait until some are free
			pause = min(max(2*pause, 5*time.Millisecond), maxAcceptPause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		original, err := c.Original()
		if err != nil || !Virtual.Contains(original.Addr()) {
			c.Close() // a program found the listener itself: it stands for nothing
			continue
		}
		if s.visits.arrived(c, original) {
			continue
		}
		go s.handler(s.ref.ID, original, c)
	}
}

// Dial connects to a port of the sandbox's own loopback.
func (s *Sandbox) Dial(ctx context.Context, port uint16, within time.Duration) (*socket.Conn, error) {
	c, err := socket.Loopback(ctx, s.sockets4.Take, s.sockets6.Take, port, within)
	if err != nil {
		return nil, fmt.Errorf("sandbox %s: %w", s.ref.ID, err)
	}
	return c, nil
}
