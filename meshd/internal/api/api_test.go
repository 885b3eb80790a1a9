package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func start(t *testing.T, handler Handler) (*Hub, func() *client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dir", "sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	hub := NewHub()
	go New(handler, hub, slog.New(slog.DiscardHandler)).Serve(l)
	return hub, func() *client {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return &client{t, c, bufio.NewReader(c)}
	}
}

func (c *client) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hear() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

func TestAnswers(t *testing.T) {
	_, dial := start(t, func(_ context.Context, method string, params json.RawMessage) (any, error) {
		switch method {
		case "echo":
			return params, nil
		case "known":
			return nil, &Error{Code: "c", Message: "m", Data: 7}
		}
		return nil, errors.New("oops")
	})
	c := dial()
	for say, want := range map[string]string{
		`{"id":1,"method":"echo","params":{"x":[1]},"new":true}`: `{"id":1,"result":{"x":[1]}}`,
		`{"id":"a","method":"known"}`:                            `{"id":"a","error":{"code":"c","message":"m","data":7}}`,
		`{"id":2,"method":"other"}`:                              `{"id":2,"error":{"code":"internal","message":"oops"}}`,
		`nonsense`:                                               `{"id":null,"error":{"code":"bad_request","message":"a line must be one JSON object with id and method"}}`,
		`{"method":"echo"}`:                                      `{"id":null,"error":{"code":"bad_request","message":"a line must be one JSON object with id and method"}}`,
	} {
		c.say(say)
		if got := c.hear(); got != want {
			t.Errorf("%s: %s, want %s", say, got, want)
		}
	}
}

func TestOneSlowRequestDoesNotHoldUpOthers(t *testing.T) {
	release := make(chan struct{})
	_, dial := start(t, func(_ context.Context, method string, _ json.RawMessage) (any, error) {
		if method == "slow" {
			<-release
		}
		return method, nil
	})
	c := dial()
	c.say(`{"id":1,"method":"slow"}`)
	c.say(`{"id":2,"method":"fast"}`)
	if got := c.hear(); got != `{"id":2,"result":"fast"}` {
		t.Fatal(got)
	}
	close(release)
	if got := c.hear(); got != `{"id":1,"result":"slow"}` {
		t.Fatal(got)
	}
}

func TestEventsFollowSubscribe(t *testing.T) {
	hub, dial := start(t, nil)
	hub.Publish("lost", 0)
	c := dial()
	c.say(`{"id":1,"method":"subscribe"}`)
	if got := c.hear(); got != `{"id":1,"result":{}}` {
		t.Fatal(got)
	}
	hub.Publish("flow", map[string]int{"x": 1})
	if got := c.hear(); got != `{"event":"flow","data":{"x":1}}` {
		t.Fatal(got)
	}
}

// TestReaderThatDoesNotKeepUp: publishing never blocks, and what the reader misses
// is counted to the last one.
func TestReaderThatDoesNotKeepUp(t *testing.T) {
	hub, dial := start(t, nil)
	c := dial()
	c.say(`{"id":1,"method":"subscribe"}`)
	c.hear()
	const published = 3 * feedSize
	filler := strings.Repeat("x", 1000) // more than the socket's buffer holds
	for range published {
		hub.Publish("e", filler)
	}
	heard, missed := 0, 0
	for heard+missed < published {
		var e struct {
			Event string
			Data  json.RawMessage
		}
		if err := json.Unmarshal([]byte(c.hear()), &e); err != nil {
			t.Fatal(err)
		}
		if e.Event != "dropped" {
			heard++
			continue
		}
		var d struct{ Count int }
		if err := json.Unmarshal(e.Data, &d); err != nil || d.Count == 0 {
			t.Fatal(d, err)
		}
		missed += d.Count
	}
	if heard+missed != published || missed == 0 || heard < feedSize {
		t.Fatalf("heard %d, missed %d of %d", heard, missed, published)
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
	if _, err := Listen(path); err == nil {
		t.Fatal("took over a socket that answers")
	}
	l.SetUnlinkOnClose(false)
	l.Close() // as a killed process leaves it
	l, err = Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	in := bufio.NewReader(strings.NewReader("a\r\n" + long + "\nno end"))
	for _, want := range []string{"a", long} {
		if got, err := readLine(in); err != nil || string(got) != want {
			t.Fatal(len(got), err)
		}
	}
	if _, err := readLine(in); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if _, err := readLine(bufio.NewReader(io.LimitReader(endless{}, maxLine+10))); !errors.Is(err, errLong) {
		t.Fatal(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, fmt.Sprintf("%*s", len(p), "x")), nil }
