// Package api serves meshd's control socket: newline-delimited JSON, one object a
// line. It promises that only its own user and root are heard, that one slow or
// broken client harms nobody else, and that an event stream is bounded: what a
// reader misses is counted and told.
package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	maxLine     = 64 << 20
	maxInFlight = 64 // requests of one connection
	writeWait   = 10 * time.Second
)

// Error is a failure that the client can act on.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Handler answers one request. An error that is no *Error is told as "internal".
type Handler func(ctx context.Context, method string, params json.RawMessage) (any, error)

// Server answers on one listener.
type Server struct {
	handler     Handler
	events      *Hub
	log         *slog.Logger
	connections uint64 // accepted so far; Serve's
}

type connectionKey struct{}

// Connection is the number of the connection that a request came over; later ones
// have higher numbers.
func Connection(ctx context.Context) uint64 {
	n, _ := ctx.Value(connectionKey{}).(uint64)
	return n
}

// New makes a server whose subscribers hear events.
func New(handler Handler, events *Hub, log *slog.Logger) *Server {
	return &Server{handler: handler, events: events, log: log}
}

// Serve takes connections until the listener is closed.
func (s *Server) Serve(l *net.UnixListener) {
	for {
		c, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("cannot take an API connection", "error", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if err := checkPeer(c); err != nil {
			s.log.Warn("refused an API connection", "error", err)
			c.Close()
			continue
		}
		s.connections++
		go s.serve(c, s.connections)
	}
}

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type response struct {
	ID     json.RawMessage `json:"id"`
	Result any             `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
}

func (s *Server) serve(c *net.UnixConn, number uint64) {
	conn := &connection{c: c}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), connectionKey{}, number))
	var working sync.WaitGroup
	defer func() { cancel(); c.Close(); working.Wait() }()
	slots := make(chan struct{}, maxInFlight)
	in := bufio.NewReaderSize(c, 64<<10)
	subscribed := false
	for {
		line, err := readLine(in)
		if errors.Is(err, errLong) {
			conn.send(response{ID: json.RawMessage("null"), Error: &Error{Code: "bad_request", Message: err.Error()}})
		}
		if err != nil {
			return
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil || r.ID == nil {
			conn.send(response{ID: json.RawMessage("null"), Error: &Error{Code: "bad_request", Message: "a line must be one JSON object with id and method"}})
			continue
		}
		if r.Method == "subscribe" && !subscribed {
			subscribed = true
			feed := s.events.subscribe()
			conn.send(response{ID: r.ID, Result: struct{}{}})
			working.Go(func() { feed.pump(ctx, conn) })
			continue
		}
		slots <- struct{}{}
		working.Go(func() {
			defer func() { <-slots }()
			conn.send(s.answer(ctx, r))
		})
	}
}

func (s *Server) answer(ctx context.Context, r request) response {
	result, err := s.handler(ctx, r.Method, r.Params)
	if err == nil {
		return response{ID: r.ID, Result: result}
	}
	var known *Error
	if !errors.As(err, &known) {
		s.log.Error("request failed", "method", r.Method, "error", err)
		known = &Error{Code: "internal", Message: err.Error()}
	}
	return response{ID: r.ID, Error: known}
}

var errLong = errors.New("a line exceeds 64 MiB")

// readLine returns one line in a buffer of its own.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, errLong
		case err == nil:
			return bytes.TrimSpace(line), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// connection serialises what is written to one client; a client that does not read
// is cut off.
type connection struct {
	mu sync.Mutex
	c  *net.UnixConn
}

func (c *connection) send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		line, _ = json.Marshal(response{ID: json.RawMessage("null"), Error: &Error{Code: "internal", Message: err.Error()}})
	}
	return c.write(append(line, '\n'))
}

func (c *connection) write(lines []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c.SetWriteDeadline(time.Now().Add(writeWait))
	_, err := c.c.Write(lines)
	if err != nil {
		c.c.Close()
	}
	return err
}
