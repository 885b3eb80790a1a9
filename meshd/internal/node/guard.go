package node

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// harden sets up the mesh namespace of this thread: TCP over the TUN and nothing
// else, with buffers that a stalled reader cannot make large.
func harden() error {
	for _, set := range [][2]string{
		{"ipv6/conf/all/disable_ipv6", "1"},
		{"ipv6/conf/default/disable_ipv6", "1"},
		{"ipv4/ip_forward", "0"},
		{"ipv4/icmp_echo_ignore_all", "1"},
		{"ipv4/conf/all/rp_filter", "1"},
		{"ipv4/conf/all/accept_redirects", "0"},
		{"ipv4/ip_local_port_range", "10240 65000"}, // no services share these ports
		{"ipv4/tcp_syn_retries", "2"},
		// A vanished peer with data under way ends a stream after about 25 s. Not
		// TCP_USER_TIMEOUT: it also ends streams whose reader merely pauses.
		{"ipv4/tcp_retries2", "6"},
		// Data goes with the SYN, both ways and without cookies: WireGuard has shown
		// who the peer is, and saves it a round trip on every stream.
		{"ipv4/tcp_fastopen", fmt.Sprint(fastOpen)},
		{"ipv4/tcp_fastopen_blackhole_timeout_sec", "0"},
		{"ipv4/tcp_rmem", "4096 131072 4194304"},
		{"ipv4/tcp_wmem", "4096 16384 4194304"},
	} {
		err := os.WriteFile("/proc/sys/net/"+set[0], []byte(set[1]), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("harden mesh namespace: %w", err)
		}
	}
	return nil
}

// fastOpen: client, server, client without cookie, server without cookie.
const fastOpen = 0x1 | 0x2 | 0x4 | 0x200

// magicDNS is answered by the library inside the namespace; nothing here asks it.
var magicDNS = netip.MustParseAddr("100.100.100.100")

// guard loads the mesh namespace's firewall: new connections only in to
// StreamPort, out only over the TUN, nothing forwarded. It runs on a thread inside.
func guard() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("guard mesh namespace: %w", err)
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "mesh"})
	chain := func(name string, hook *nftables.ChainHook, rules ...[]expr.Any) {
		drop := nftables.ChainPolicyDrop
		ch := c.AddChain(&nftables.Chain{Name: name, Table: table, Type: nftables.ChainTypeFilter,
			Hooknum: hook, Priority: nftables.ChainPriorityFilter, Policy: &drop})
		for _, r := range rules {
			c.AddRule(&nftables.Rule{Table: table, Chain: ch, Exprs: r})
		}
	}
	chain("in", nftables.ChainHookInput,
		rule(device(expr.MetaKeyIIFNAME, "lo"), verdict(expr.VerdictDrop)),
		rule(overTCP(), destinationPort(StreamPort), verdict(expr.VerdictAccept)),
		rule(overTCP(), opening(), rejectWithReset()),
		rule(overTCP(), verdict(expr.VerdictAccept)),
		rule(icmp(3), verdict(expr.VerdictAccept)),  // destination unreachable: path MTU
		rule(icmp(11), verdict(expr.VerdictAccept))) // time exceeded
	chain("forward", nftables.ChainHookForward)
	chain("out", nftables.ChainHookOutput,
		rule(destination(magicDNS), verdict(expr.VerdictDrop)),
		rule(device(expr.MetaKeyOIFNAME, "lo"), verdict(expr.VerdictDrop)),
		rule(overTCP(), verdict(expr.VerdictAccept)))
	if err := c.Flush(); err != nil {
		return fmt.Errorf("guard mesh namespace: load nft table (needs nf_tables and CAP_NET_ADMIN): %w", err)
	}
	return nil
}

func rule(parts ...[]expr.Any) (all []expr.Any) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func equals(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }

func device(key expr.MetaKey, name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, equals(padded)}
}

func protocol(number byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equals([]byte{number})}
}

func overTCP() []expr.Any { return protocol(unix.IPPROTO_TCP) }

func icmp(kind byte) []expr.Any {
	return append(protocol(unix.IPPROTO_ICMP),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}, equals([]byte{kind}))
}

func destinationPort(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		equals(binaryutil.BigEndian.PutUint16(port)),
	}
}

// opening matches the first segment of a connection: SYN without ACK.
func opening() []expr.Any {
	const syn, ack = 0x02, 0x10
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{syn | ack}, Xor: []byte{0}},
		equals([]byte{syn}),
	}
}

func destination(a netip.Addr) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, equals([]byte{unix.NFPROTO_IPV4}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}, equals(a.AsSlice()),
	}
}

func rejectWithReset() []expr.Any { return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}} }

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }
