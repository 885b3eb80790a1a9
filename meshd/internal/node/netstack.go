package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"tailscale.com/tsnet"
	"tailscale.com/wgengine/netstack"
)

// userspace is the transport without privileges: gVisor's TCP inside the process.
// Its connections cannot send a reset, so streams over it are chunked.
type userspace struct{ server *tsnet.Server }

func (u *userspace) kind() string { return kindNetstack }

func (u *userspace) attach(s *tsnet.Server, _ netip.Addr) error {
	u.server = s
	return tune(s)
}

// tune bounds what gVisor buffers and how long it waits. Unbounded, one busy node
// was seen to grow to 1.8 GB; without RACK a lossy path stalls.
func tune(s *tsnet.Server) error {
	impl, ok := s.Sys().Netstack.Get().(*netstack.Impl)
	if !ok {
		return fmt.Errorf("netstack is of an unexpected kind %T", s.Sys().Netstack.Get())
	}
	const largest = 1 << 20
	var (
		receive  = tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: largest, Max: largest}
		send     = tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: largest, Max: largest}
		recovery = tcpip.TCPRecovery(tcpip.TCPRACKLossDetection)
		// A SYN that meets a TIME_WAIT of the same ports is not answered here.
		timeWait = tcpip.TCPTimeWaitTimeoutOption(50 * time.Millisecond)
		// A vanished peer with data under way ends a stream after 21 to 30 s, as in the
		// kernel. By itself gVisor doubles from what the path took before, up to two
		// minutes between two attempts: a slow path made 150 s of it, and one that was
		// back was not tried for as long.
		slowest = tcpip.TCPMaxRTOOption(3 * time.Second)
		retries = tcpip.TCPMaxRetriesOption(9)
	)
	for _, o := range []tcpip.SettableTransportProtocolOption{&receive, &send, &recovery, &timeWait, &slowest, &retries} {
		if err := impl.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("netstack option %T: %v", o, err)
		}
	}
	return nil
}

func (u *userspace) listen() (net.Listener, error) {
	l, err := u.server.Listen("tcp", fmt.Sprintf(":%d", StreamPort))
	if err != nil {
		return nil, err
	}
	return streams{l}, nil
}

func (u *userspace) dial(ctx context.Context, to netip.AddrPort, first []byte) (net.Conn, error) {
	c, err := u.server.Sys().Dialer.Get().NetstackDialTCP(ctx, to)
	if err != nil {
		return nil, err
	}
	if len(first) > 0 {
		if _, err := c.Write(first); err != nil {
			c.Close()
			return nil, err
		}
	}
	return &stream{gvisorConn: c.(gvisorConn)}, nil
}

func (u *userspace) close() {}
