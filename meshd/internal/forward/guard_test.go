package forward

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/socket"
)

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func TestGuardJudges(t *testing.T) {
	byHost := Guard{Hosts: []string{"api.localhost", "::1"}}
	byToken := Guard{TokenSHA256: digest("secret")}
	for _, c := range []struct {
		name  string
		guard Guard
		head  string
		want  int // 0: it passes
	}{
		{"the host", byHost, "GET / HTTP/1.1\r\nHost: API.localhost:18080\r\n", 0},
		{"an address", byHost, "GET / HTTP/1.1\r\nHost: [::1]:18080\r\n", 0},
		{"an address without a port", byHost, "GET / HTTP/1.1\r\nHost: [::1]\r\n", 0},
		{"another name that leads here", byHost, "GET / HTTP/1.1\r\nHost: evil.example:18080\r\n", 421},
		{"no host", byHost, "GET / HTTP/1.0\r\n", 421},
		{"two hosts", byHost, "GET / HTTP/1.1\r\nHost: api.localhost\r\nHost: evil.example\r\n", 421},
		{"a host in the target", byHost, "GET http://api.localhost/ HTTP/1.1\r\nHost: api.localhost\r\n", 400},
		{"a page of the same host", byHost, "POST / HTTP/1.1\r\nHost: api.localhost\r\nOrigin: http://api.localhost:3000\r\n", 0},
		{"a page of another host", byHost, "POST / HTTP/1.1\r\nHost: api.localhost\r\nOrigin: https://evil.example\r\n", 403},
		{"a page of nobody", byHost, "POST / HTTP/1.1\r\nHost: api.localhost\r\nOrigin: null\r\n", 403},
		{"an image of another site's page", byHost, "GET / HTTP/1.1\r\nHost: api.localhost\r\nSec-Fetch-Site: cross-site\r\n", 403},
		{"typed into the browser", byHost, "GET / HTTP/1.1\r\nHost: api.localhost\r\nSec-Fetch-Site: none\r\n", 0},
		{"a line that ends early hides nothing", byHost, "GET / HTTP/1.1\nHost: evil.example\n\nGET / HTTP/1.1\r\nHost: api.localhost\r\n", 421},
		{"the token", byToken, "GET / HTTP/1.1\r\nHost: any\r\ngstacks-token: secret\r\n", 0},
		{"a wrong token", byToken, "GET / HTTP/1.1\r\nHost: any\r\nGstacks-Token: sekret\r\n", 403},
		{"no token", byToken, "GET / HTTP/1.1\r\nHost: any\r\n", 403},
		{"HTTP/2", byToken, "PRI * HTTP/2.0\r\n", 400},
		{"something else", byToken, "\x16\x03\x01\x02\x00\r\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.guard.judge([]byte(c.head + "\r\n"))
			got := 0
			if no := (*refused)(nil); errors.As(err, &no) {
				got = no.status
			} else if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%d (%v), want %d", got, err, c.want)
			}
		})
	}
}

// echoing makes a table whose connections are carried to something that sends back all that it gets.
func echoing(t *testing.T) *Table {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	flows := relay.NewTable(10, "t", func(relay.Event) {})
	table := NewTable(func(_ context.Context, _ func() Forward, source *relay.Side, began func(*relay.Flow)) error {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		flow, err := flows.Open(relay.Info{}, nil)
		if err != nil {
			return err
		}
		target := relay.Local(socket.From(c.(*net.TCPConn)))
		flow.Attach(source, target)
		began(flow)
		flow.Relay(source, target, nil)
		return nil
	}, quiet)
	t.Cleanup(table.CloseAll)
	return table
}

// guarded is such a table with one forward, and where that listens.
func guarded(t *testing.T, guard Guard) (*Table, string) {
	t.Helper()
	table := echoing(t)
	f := at("a", "127.0.0.1:0", 80)
	f.Guard = &guard
	status, err := table.Listen(f)
	if err != nil {
		t.Fatal(err)
	}
	return table, status.Bound
}

func TestGuardedForward(t *testing.T) {
	table, bound := guarded(t, Guard{Hosts: []string{"localhost"}})
	say := func(text string) (string, error) {
		c := dial(t, bound).(*net.TCPConn)
		io.WriteString(c, text)
		c.CloseWrite()
		said, err := io.ReadAll(c)
		return string(said), err
	}
	good := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody and what follows"
	if said, err := say(good); err != nil || said != good {
		t.Errorf("what passes arrives changed: %q %v", said, err)
	}
	for _, c := range []struct{ text, want string }{
		{"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" + strings.Repeat("x", 100<<10), "HTTP/1.1 421 "},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", mostHead) + "\r\n\r\n", "HTTP/1.1 431 "},
	} {
		if said, err := say(c.text); err != nil || !strings.HasPrefix(said, c.want) {
			t.Errorf("answered %.60q %v, want %q", said, err, c.want)
		}
	}
	table.Close("a") // waits for the connections' ends
}

func TestGuardCounts(t *testing.T) {
	table, bound := guarded(t, Guard{TokenSHA256: digest("secret")})
	get := func(token string) int {
		request, _ := http.NewRequest("GET", "http://"+bound, nil)
		request.Header.Set(TokenHeader, token)
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for range 3 {
		if got := get("wrong"); got != http.StatusForbidden {
			t.Errorf("answered %d", got)
		}
	}
	await(t, "three are counted", func() bool { return table.List()[0].Refused == 3 })
	if s := table.List()[0]; s.Total != 0 || !strings.Contains(s.LastError, TokenHeader) {
		t.Errorf("carried %d, last error %q", s.Total, s.LastError)
	}
}

func TestCloseEndsARequestThatDoesNotCome(t *testing.T) {
	table, bound := guarded(t, Guard{Hosts: []string{"localhost"}})
	c := dial(t, bound)
	fmt.Fprint(c, "GET / HT")
	await(t, "it is taken", func() bool { return table.List()[0].Waiting == 1 })
	table.Close("a")
	if _, err := io.ReadAll(c); err == nil {
		t.Error("ended cleanly")
	}
}

func TestForwardThatTookAnyPortKeepsIt(t *testing.T) {
	table, _ := told(t)
	first, err := table.Listen(at("a", "127.0.0.1:0", 80))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, first.Bound)
	if _, err := table.Listen(at("a", first.Bound, 81)); err != nil {
		t.Fatal(err)
	}
	await(t, "the connection goes on", func() bool { return table.List()[0].Waiting == 1 })
	c.Close()
}
