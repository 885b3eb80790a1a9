package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/tailscale/wireguard-go/tun"
	"golang.org/x/sys/unix"
	"tailscale.com/tsnet"

	"gstacks/meshd/internal/netns"
)

const (
	tunName = "gsmesh0"
	// tunMTU fits any underlay that carries IPv6's minimum plus WireGuard's header.
	tunMTU = 1280
)

// kernel is the transport where a node's packets come from a TUN in a network
// namespace of its own: mesh streams are kernel TCP, so splice and resets work, and
// no mesh address or route ever appears on the host. Namespace and TUN have no name
// and no persistence: they vanish with the process.
type kernel struct {
	ns      *os.File
	device  tun.Device
	self    netip.Addr
	sockets *netns.Sockets
}

// newKernel makes the namespace, guarded before anything is in it, and the TUN.
func newKernel() (k *kernel, err error) {
	ns, err := netns.New()
	if err != nil {
		return nil, err
	}
	k = &kernel{ns: ns}
	err = netns.Within(ns, func() error {
		if err := harden(); err != nil {
			return err
		}
		if err := guard(); err != nil {
			return err
		}
		d, err := tun.CreateTUN(tunName, tunMTU)
		if err != nil {
			return fmt.Errorf("make TUN: %w", err)
		}
		k.device = fixedMTU{d}
		return nil
	})
	if err != nil {
		ns.Close()
		return nil, err
	}
	k.sockets = &netns.Sockets{Namespace: ns, Family: unix.AF_INET, Prepare: ackWithData}
	return k, nil
}

// ProbeTUN says why the kernel transport cannot be had here, or nil.
func ProbeTUN() error {
	k, err := newKernel()
	if err != nil {
		return err
	}
	k.close()
	return nil
}

// fixedMTU answers for a TUN in another namespace: wireguard-go would ask by name
// in the calling thread's.
type fixedMTU struct{ tun.Device }

func (fixedMTU) MTU() (int, error) { return tunMTU, nil }
func (f fixedMTU) DisableUDPGRO()  { f.Device.(tun.GRODevice).DisableUDPGRO() }
func (f fixedMTU) DisableTCPGRO()  { f.Device.(tun.GRODevice).DisableTCPGRO() }

func (k *kernel) kind() string { return kindTUN }

func (k *kernel) attach(_ *tsnet.Server, self netip.Addr) error {
	k.self = self
	return netns.Within(k.ns, func() error { return setAddress(tunName, netip.PrefixFrom(self, 10)) })
}

func (k *kernel) listen() (l net.Listener, err error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive, Control: acceptWithSYN}
	lc.SetMultipathTCP(false) // splice(2) and MPTCP do not go together
	err = netns.Within(k.ns, func() error {
		l, err = lc.Listen(context.Background(), "tcp4", netip.AddrPortFrom(k.self, StreamPort).String())
		return err
	})
	return l, err
}

func (k *kernel) dial(ctx context.Context, to netip.AddrPort, first []byte) (net.Conn, error) {
	fd, err := k.sockets.Take()
	if err != nil {
		return nil, err
	}
	return connect(ctx, fd, to, first)
}

func (k *kernel) close() {
	k.device.Close()
	k.sockets.Close()
	k.ns.Close()
}
