package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/netns"
	"gstacks/meshd/internal/socket"
)

// Visits are connections that meshd itself makes from inside the sandbox, to see
// whether they come out at the listener as a program's do. They become no streams.
//
// Each comes from an address of its own. Its port would not tell it: address
// translation gives a connection another one when an earlier connection that is still
// tracked had the same, to whichever address.
type visits struct {
	count atomic.Int32
	mu    sync.Mutex
	last  uint16
	from  map[netip.Addr]chan arrival
}

// arrival is a visitor's connection as the listener got it.
type arrival struct {
	conn     *socket.Conn
	original netip.AddrPort
}

// arrived gives c to the visitor behind it, if there is one.
func (v *visits) arrived(c *socket.Conn, original netip.AddrPort) bool {
	if v.count.Load() == 0 {
		return false
	}
	from, err := c.RemoteAddr()
	if err != nil {
		return false
	}
	v.mu.Lock()
	visitor := v.from[from]
	delete(v.from, from)
	v.mu.Unlock()
	if visitor == nil {
		return false
	}
	visitor <- arrival{c, original}
	return true
}

func (v *visits) expect() (from netip.Addr, arrived <-chan arrival, forget func()) {
	visitor := make(chan arrival, 1)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last++
	from = netip.AddrFrom4([4]byte{127, 63, byte(v.last >> 8), byte(v.last)})
	if v.from == nil {
		v.from = map[netip.Addr]chan arrival{}
	}
	v.from[from] = visitor
	v.count.Add(1)
	return from, visitor, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.from[from] == visitor {
			delete(v.from, from)
		}
		v.count.Add(-1)
		select {
		case late := <-visitor:
			late.conn.Close()
		default:
		}
	}
}

// Enter goes the way of a program that dials a virtual address, and returns when the
// connection has come out at the listener. It opens no stream.
func (s *Sandbox) Enter(ctx context.Context, to netip.AddrPort, within time.Duration) error {
	return s.enter(ctx, anyPort, to, within)
}

const anyPort = 0

func (s *Sandbox) enter(ctx context.Context, port int, to netip.AddrPort, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	fd, err := s.sockets4.Take()
	if err != nil {
		return err
	}
	from, arrived, forget := s.visits.expect()
	defer forget()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4(), Port: port}); err != nil {
		unix.Close(fd)
		return os.NewSyscallError("bind", err)
	}
	c, err := socket.Connect(ctx, fd, to, within)
	if err != nil {
		return err
	}
	defer c.Close()
	select {
	case a := <-arrived:
		defer a.conn.Close()
		if a.original != to {
			return fmt.Errorf("it came out as %s", a.original)
		}
		return nil
	case <-ctx.Done():
		return errors.New("somebody else than meshd took the connection")
	}
}

// Resolve asks for a name's address where the sandbox's programs ask.
func (s *Sandbox) Resolve(ctx context.Context, name string, within time.Duration) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	query, err := addressQuery(name)
	if err != nil {
		return netip.Addr{}, err
	}
	var c *net.UDPConn
	if err := netns.Within(s.namespace, func() (err error) {
		c, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(DNSServer, 53)))
		return err
	}); err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	if _, err := c.Write(query); err != nil {
		return netip.Addr{}, err
	}
	answer := make([]byte, 1232)
	n, err := c.Read(answer)
	if err != nil {
		return netip.Addr{}, err
	}
	return addressIn(answer[:n])
}

func addressQuery(name string) ([]byte, error) {
	owner, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, err
	}
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: owner, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	return q.Pack()
}

func addressIn(answer []byte) (netip.Addr, error) {
	var m dnsmessage.Message
	if err := m.Unpack(answer); err != nil {
		return netip.Addr{}, err
	}
	for _, r := range m.Answers {
		if a, ok := r.Body.(*dnsmessage.AResource); ok {
			return netip.AddrFrom4(a.A), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("the answer is %s with no address", m.RCode)
}
