package sandbox

import (
	"net"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The parts of nft rules that this package's table is made of.

const (
	icmpPortUnreachable = 3

	// A concatenated key lies in neighbouring 32-bit registers: the address in
	// the first quarter of register 1, the port in the second.
	regAddress = unix.NFT_REG32_00
	regPort    = unix.NFT_REG32_01
)

func loadDestination(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
}

func loadPort(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
}

// to matches a destination address.
func to(p netip.Prefix) []expr.Any {
	return []expr.Any{
		loadDestination(1),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: net.CIDRMask(p.Bits(), 32), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

// protocol matches TCP or UDP; port and in need it before them.
func protocol(number byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
	}
}

func port(number uint16) []expr.Any {
	return []expr.Any{
		loadPort(1),
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(number)},
	}
}

// in matches a destination address and port that are in the set.
func in(set *nftables.Set) []expr.Any {
	return []expr.Any{
		loadDestination(regAddress),
		loadPort(regPort),
		&expr.Lookup{SourceRegister: regAddress, SetName: set.Name, SetID: set.ID},
	}
}

// count counts the packet for its destination address and port in the set.
func count(set *nftables.Set) []expr.Any {
	return []expr.Any{
		loadDestination(regAddress),
		loadPort(regPort),
		&expr.Dynset{SrcRegKey: regAddress, SetName: set.Name, SetID: set.ID, Operation: unix.NFT_DYNSET_OP_UPDATE, Exprs: []expr.Any{&expr.Counter{}}},
	}
}

// divertTo sends the connection to a port of 127.0.0.1.
func divertTo(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: []byte{127, 0, 0, 1}},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
	}
}

func reject(kind uint32, code uint8) []expr.Any {
	return []expr.Any{&expr.Reject{Type: kind, Code: code}}
}
