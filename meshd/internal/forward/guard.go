package forward

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"gstacks/meshd/internal/socket"
)

// Guard lets only those HTTP requests in that a web page of somebody else cannot
// make: to one of Hosts, from a page of one of them or from no page, and with the
// token. It looks at the first request of each connection; what follows on it comes
// from the same program.
type Guard struct {
	// Hosts are names without a port, in lower case. None: any.
	Hosts []string `json:"hosts,omitempty"`
	// TokenSHA256 is that of the token in hex. Empty: none is asked for.
	TokenSHA256 string `json:"tokenSha256,omitempty"`
}

// TokenHeader is the request's header that carries the token.
const TokenHeader = "Gstacks-Token"

const (
	headDeadline = 10 * time.Second
	mostHead     = 16 << 10
	goodbye      = time.Second // for the answer to a refused request to arrive
	mostUnread   = 1 << 20
)

// connection is what a guard needs of a program's connection.
type connection interface {
	io.ReadWriteCloser
	CloseWrite() error
	SetDeadline(time.Time) error
}

// refused is a request that may not pass.
type refused struct {
	status int
	why    string
}

var errNoRequest = errors.New("the program said nothing that the guard could judge")

func (r *refused) Error() string { return fmt.Sprintf("answered %d: %s", r.status, r.why) }

// admit reads the head of the first request, and returns all that was read. A request
// that may not pass is answered, and the connection closed.
func (g *Guard) admit(ctx context.Context, c connection) ([]byte, error) {
	c.SetDeadline(time.Now().Add(headDeadline))
	interrupt := context.AfterFunc(ctx, func() { c.Close() })
	defer interrupt()
	read, err := readHead(c)
	if err == nil {
		err = g.judge(read)
	}
	if no := (*refused)(nil); errors.As(err, &no) {
		answer(c, no)
	}
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return read, nil
}

// readHead reads until the head is complete, and maybe more.
func readHead(c io.Reader) ([]byte, error) {
	head := make([]byte, 0, 4<<10)
	for {
		if len(head) == mostHead {
			return nil, &refused{http.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("the request's head is longer than %d bytes", mostHead)}
		}
		head = slices.Grow(head, 1)
		n, err := c.Read(head[len(head):min(cap(head), mostHead)])
		head = head[:len(head)+n]
		if bytes.Contains(head, []byte("\r\n\r\n")) {
			return head, nil
		}
		if err == io.EOF {
			return nil, errNoRequest
		}
		if err != nil {
			return nil, err
		}
	}
}

func (g *Guard) judge(read []byte) error {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(read)))
	line, err := r.ReadLine()
	if err != nil {
		return err
	}
	headers, err := r.ReadMIMEHeader()
	if parts := strings.Split(line, " "); err != nil || len(parts) != 3 || !strings.HasPrefix(parts[2], "HTTP/1.") || !strings.HasPrefix(parts[1], "/") && parts[1] != "*" {
		return &refused{http.StatusBadRequest, "this forward takes HTTP/1 requests only"}
	}
	if len(g.Hosts) > 0 {
		if err := g.judgeOrigin(headers); err != nil {
			return err
		}
	}
	if g.TokenSHA256 != "" {
		sum := sha256.Sum256([]byte(headers.Get(TokenHeader)))
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(g.TokenSHA256)) != 1 {
			return &refused{http.StatusForbidden, "the header " + TokenHeader + " is missing or wrong"}
		}
	}
	return nil
}

// judgeOrigin refuses a name that somebody else made lead here, and requests that a
// browser makes for a page of somebody else.
func (g *Guard) judgeOrigin(headers textproto.MIMEHeader) error {
	if hosts := headers.Values("Host"); len(hosts) != 1 || !g.has(hostOf(hosts[0])) {
		return &refused{http.StatusMisdirectedRequest, fmt.Sprintf("the request is for host %q", strings.Join(hosts, ", "))}
	}
	for _, origin := range headers.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || !g.has(strings.ToLower(u.Hostname())) {
			return &refused{http.StatusForbidden, fmt.Sprintf("the request comes from a page of %q", origin)}
		}
	}
	if slices.Contains(headers.Values("Sec-Fetch-Site"), "cross-site") {
		return &refused{http.StatusForbidden, "the request comes from a page of another site"}
	}
	return nil
}

func (g *Guard) has(host string) bool { return slices.Contains(g.Hosts, host) }

func hostOf(header string) string {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.Trim(header, "[]")
	}
	return strings.ToLower(host)
}

// answer says no. What is still unread would make the kernel reset the connection
// before the answer is read, so it is read off, within bounds.
func answer(c connection, no *refused) {
	if s, ok := c.(*socket.Conn); ok {
		s.ResetOnClose(false)
	}
	c.SetDeadline(time.Now().Add(goodbye))
	text := "gstacks: " + no.why + "\n"
	fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", no.status, http.StatusText(no.status), len(text), text)
	if c.CloseWrite() == nil {
		io.CopyN(io.Discard, c, mostUnread)
	}
	c.Close()
}
