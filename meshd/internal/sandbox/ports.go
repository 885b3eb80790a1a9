package sandbox

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
)

// Listening ports inside a sandbox share the port space with its own programs.
// They are taken above the kernel's default range for outgoing connections
// (32768 to 60999) and below what people pick by hand near the end. Where the
// search starts depends on the sandbox's id: a meshd that was restarted finds
// its ports again, so that a resolver's long-lived UDP socket, whose old port
// is remembered by connection tracking, goes on to work.
const (
	firstPort = 61000
	lastPort  = 64999
	tries     = 64
)

// Without keep-alives, as both ends are on this machine; without MPTCP, which
// Go would ask for and which costs a subflow check at each accept.
var listenConfig = func() *net.ListenConfig {
	c := &net.ListenConfig{KeepAlive: -1}
	c.SetMultipathTCP(false)
	return c
}()

// listenSomewhere calls listen with ports from the range until one is free, and
// with 0 (any) when many were not.
func listenSomewhere(seed string, listen func(port uint16) error) error {
	h := fnv.New32a()
	h.Write([]byte(seed))
	const size = lastPort - firstPort + 1
	start := h.Sum32() % size
	for i := range uint32(tries) {
		if listen(uint16(firstPort+(start+i)%size)) == nil {
			return nil
		}
	}
	if err := listen(0); err != nil {
		return fmt.Errorf("no free port in the sandbox: %w", err)
	}
	return nil
}

func listenTCP(port uint16) (*net.TCPListener, error) {
	l, err := listenConfig.Listen(context.Background(), "tcp4", loopbackPort(port))
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

func listenUDP(port uint16) (*net.UDPConn, error) {
	c, err := listenConfig.ListenPacket(context.Background(), "udp4", loopbackPort(port))
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

func loopbackPort(port uint16) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String()
}

func portOf(a net.Addr) uint16 { return netip.MustParseAddrPort(a.String()).Port() }
