// Package sandbox holds meshd's presence inside one sandbox's network
// namespace: a TCP listener that stands for every alias and port the sandbox is
// permitted to reach, a DNS server, and the nftables table that leads there.
//
// It promises that a connection to a virtual address that is not permitted is
// refused by the kernel, also when meshd is gone; that the handler sees the
// address and port the program dialled; and that no port of the sandbox's
// programs is in the way. It decides nothing: which pairs are permitted is given.
package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/dns"
	"gstacks/meshd/internal/netns"
	"gstacks/meshd/internal/socket"
)

// A StreamHandler gets a connection that a program in the sandbox made, with the
// address and port it dialled, in a goroutine of its own. It owns c, which resets on
// close until its linger is unset, as does what Dial returns.
type StreamHandler func(sandboxID string, original netip.AddrPort, c *socket.Conn)

// A Sandbox is open until Close. Its methods may be called at any time from any
// goroutine.
type Sandbox struct {
	ref       Ref
	holder    *os.File // pidfd
	namespace *os.File
	sockets4  *netns.Sockets // for Dial
	sockets6  *netns.Sockets
	table     table
	handler   StreamHandler
	zone      atomic.Pointer[dns.Zone]
	visits    visits

	listener *socket.Listener
	dnsTCP   *net.TCPListener
	dnsUDP   *net.UDPConn

	gone    chan struct{}
	serving sync.WaitGroup

	mu        sync.Mutex
	permitted map[netip.AddrPort]struct{}
	loaded    bool                      // the kernel's set is what permitted says
	counted   map[netip.AddrPort]uint64 // what Refused has told already
	closed    bool
}

// Open enters the network namespace of the process and starts serving there;
// what permitted lists is in force when it returns. The program must not run
// before that if it may not be refused.
func Open(ref Ref, permitted []netip.AddrPort, zone *dns.Zone, h StreamHandler) (*Sandbox, error) {
	s := &Sandbox{ref: ref, handler: h, gone: make(chan struct{}), permitted: make(map[netip.AddrPort]struct{}, len(permitted))}
	s.zone.Store(zone)
	if err := addAll(s.permitted, permitted); err != nil {
		return nil, err
	}
	var err error
	if s.holder, s.namespace, err = openProcess(ref); err != nil {
		return nil, explain(ref, err)
	}
	s.sockets4 = &netns.Sockets{Namespace: s.namespace, Family: unix.AF_INET, Prepare: socket.Prepare}
	s.sockets6 = &netns.Sockets{Namespace: s.namespace, Family: unix.AF_INET6, Prepare: socket.Prepare}
	s.table = table{ns: s.namespace}
	if err = s.listen(); err == nil {
		err = s.reload()
	}
	if err != nil {
		s.release()
		return nil, explain(ref, err)
	}
	go func() {
		awaitEnd(s.holder)
		close(s.gone)
	}()
	s.serving.Go(s.accept)
	s.serving.Go(func() { dns.ServeUDP(s.dnsUDP, s.zone.Load) })
	s.serving.Go(func() { dns.ServeTCP(s.dnsTCP, s.zone.Load) })
	return s, nil
}

// explain says what to do about the failures that a host's set-up causes.
func explain(ref Ref, err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("sandbox %s: %w: meshd needs CAP_SYS_PTRACE, CAP_SYS_ADMIN and CAP_NET_ADMIN over the namespaces of process %d", ref.ID, err, ref.PID)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("sandbox %s: %w: the kernel needs nf_tables with nat and reject (modules nft_nat, nft_reject_ipv4)", ref.ID, err)
	}
	return fmt.Errorf("sandbox %s: %w", ref.ID, err)
}

// listen makes the sockets, inside the namespace.
func (s *Sandbox) listen() error {
	if err := raiseLoopback(s.namespace); err != nil {
		return err
	}
	return netns.Within(s.namespace, func() error {
		err := listenSomewhere(s.ref.ID, func(port uint16) (err error) {
			s.listener, err = socket.Listen(port)
			return err
		})
		if err != nil {
			return err
		}
		return listenSomewhere(s.ref.ID+" dns", func(port uint16) (err error) {
			if s.dnsUDP, err = listenUDP(port); err != nil {
				return err
			}
			if s.dnsTCP, err = listenTCP(portOf(s.dnsUDP.LocalAddr())); err != nil {
				s.dnsUDP.Close()
				return err
			}
			return nil
		})
	})
}

// Update takes pairs out of the permitted set and puts others in; both may name
// pairs that are out or in already, and add wins. The change is in force when it
// returns. After an error the set is loaded as a whole at the next call.
func (s *Sandbox) Update(add, remove []netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("sandbox %s: %w", s.ref.ID, net.ErrClosed)
	}
	added, removed, err := s.apply(add, remove)
	if err != nil {
		return err
	}
	if s.loaded {
		if err = s.table.change(added, removed); err == nil {
			return nil
		}
		// The program may have changed its own table, which harms only itself;
		// make it whole again.
		s.loaded = false
	}
	if e := s.reload(); e != nil {
		return fmt.Errorf("sandbox %s: %w", s.ref.ID, errors.Join(err, e))
	}
	return nil
}

// apply changes the permitted pairs and tells what was really added and removed.
func (s *Sandbox) apply(add, remove []netip.AddrPort) (added, removed []netip.AddrPort, err error) {
	adding := make(map[netip.AddrPort]struct{}, len(add))
	if err := addAll(adding, add); err != nil {
		return nil, nil, err
	}
	for _, pair := range remove {
		if _, stays := adding[pair]; stays {
			continue
		}
		if _, had := s.permitted[pair]; had {
			delete(s.permitted, pair)
			removed = append(removed, pair)
		}
	}
	for pair := range adding {
		if _, had := s.permitted[pair]; !had {
			s.permitted[pair] = struct{}{}
			added = append(added, pair)
		}
	}
	return added, removed, nil
}

func (s *Sandbox) reload() error {
	all := make([]netip.AddrPort, 0, len(s.permitted))
	for pair := range s.permitted {
		all = append(all, pair)
	}
	listener, dns := s.Ports()
	err := s.table.replace(listener, dns, all)
	s.counted = nil
	s.loaded = err == nil
	return err
}

// addAll refuses what no alias can have, as diverting it would take over an
// address of the sandbox's own.
func addAll(set map[netip.AddrPort]struct{}, pairs []netip.AddrPort) error {
	for _, pair := range pairs {
		if !Virtual.Contains(pair.Addr()) || pair.Port() == 0 {
			return fmt.Errorf("%s is not a port of a virtual address in %s", pair, Virtual)
		}
		set[pair] = struct{}{}
	}
	return nil
}

// SetZone replaces what DNS answers from; nil refuses every question.
func (s *Sandbox) SetZone(z *dns.Zone) { s.zone.Store(z) }

// Ports are where the listener and the DNS server are, on the sandbox's 127.0.0.1.
func (s *Sandbox) Ports() (listener, dns uint16) {
	return s.listener.Port(), portOf(s.dnsUDP.LocalAddr())
}

// Gone is closed once the process that holds the sandbox has ended (or Close was
// called).
func (s *Sandbox) Gone() <-chan struct{} { return s.gone }

// Close empties the permitted set, so that everything is refused, and closes the
// sockets. The table stays, as do connections that the handler was given.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.table.empty()
	s.release()
	s.serving.Wait()
	if err != nil {
		return fmt.Errorf("sandbox %s: %w", s.ref.ID, err)
	}
	return nil
}

func (s *Sandbox) release() {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.dnsUDP != nil {
		s.dnsUDP.Close()
	}
	if s.dnsTCP != nil {
		s.dnsTCP.Close()
	}
	s.sockets4.Close()
	s.sockets6.Close()
	s.table.close()
	s.holder.Close()
	s.namespace.Close()
}
