package sandbox

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/netns"
)

// The virtual addresses of all networks, and the one where sandboxes find DNS.
var (
	Virtual   = netip.MustParsePrefix("127.64.0.0/10")
	DNSServer = netip.MustParseAddr("127.64.0.53")
)

const (
	tableName = "gstacks"

	// A list of elements is one netlink attribute, whose length is 16 bits; an
	// element takes 24 bytes.
	elementsPerMessage = 2000
	// A batch is one datagram. Without CAP_NET_ADMIN in the first user
	// namespace the send buffer stays at net.core.wmem_default (208 KiB on
	// every kernel since 2.6), so longer lists go in several batches. Each of
	// them is safe on its own: what is not yet in the set is refused.
	elementsPerBatch = 8000
	// What is refused is counted for so many pairs, each until it was left alone
	// for a while. A pair that finds no place is refused all the same.
	refusedPairs  = 512
	refusedMemory = 10 * time.Minute
	// The kernel answers a batch at once; this only bounds a broken kernel.
	netlinkTimeout = 5 * time.Second
)

// A table is `ip gstacks` inside one sandbox:
//
//	set permitted { type ipv4_addr . inet_service }
//	chain divert { type nat hook output priority dstnat
//		ip daddr 127.64.0.53 udp dport 53 dnat to 127.0.0.1:DNS
//		ip daddr 127.64.0.53 tcp dport 53 dnat to 127.0.0.1:DNS
//		ip daddr . tcp dport @permitted dnat to 127.0.0.1:LISTENER
//	}
//	set refused { type ipv4_addr . inet_service; size 512; flags dynamic,timeout; timeout 10m }
//	chain refuse { type filter hook output priority 10
//		ip daddr 127.64.0.0/10 meta l4proto tcp update @refused { ip daddr . tcp dport counter }
//		ip daddr 127.64.0.0/10 meta l4proto tcp reject with tcp reset
//		ip daddr 127.64.0.0/10 reject
//	}
//
// It outlives meshd: a permitted pair is then diverted to a port where nobody
// listens, which refuses too. One goroutine at a time may change it.
type table struct {
	ns     *os.File
	conn   *nftables.Conn // nil until the first batch, and after an error
	socket *netlink.Conn  // that of conn
}

var (
	nftTable  = &nftables.Table{Name: tableName, Family: nftables.TableFamilyIPv4}
	pairType  = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
	nftDivert = &nftables.Chain{Name: "divert", Table: nftTable, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest}
	nftRefuse = &nftables.Chain{Name: "refuse", Table: nftTable, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRef(10)}
)

// permittedSet describes the set afresh for each batch. The id is only a
// reference inside one batch; giving it here keeps the library from counting
// in a global variable.
func permittedSet() *nftables.Set {
	return &nftables.Set{Table: nftTable, Name: "permitted", ID: 1, KeyType: pairType, Concatenation: true}
}

func refusedSet() *nftables.Set {
	return &nftables.Set{Table: nftTable, Name: "refused", ID: 2, KeyType: pairType, Concatenation: true,
		Dynamic: true, HasTimeout: true, Timeout: refusedMemory, Size: refusedPairs}
}

// replace loads the whole table in one step, in place of any table that an
// earlier meshd left.
func (t *table) replace(listener, dns uint16, permitted []netip.AddrPort) error {
	first, rest := split(permitted, elementsPerBatch)
	err := t.batch(func(c *nftables.Conn) error {
		c.AddTable(nftTable) // so that the deletion always finds one
		c.DelTable(nftTable)
		c.AddTable(nftTable)
		set := permittedSet()
		if err := c.AddSet(set, nil); err != nil {
			return err
		}
		refused := refusedSet()
		if err := c.AddSet(refused, nil); err != nil {
			return err
		}
		c.AddChain(nftDivert)
		c.AddChain(nftRefuse)
		add := func(chain *nftables.Chain, exprs ...[]expr.Any) {
			rule := &nftables.Rule{Table: nftTable, Chain: chain}
			for _, e := range exprs {
				rule.Exprs = append(rule.Exprs, e...)
			}
			c.AddRule(rule)
		}
		server := netip.PrefixFrom(DNSServer, 32)
		add(nftDivert, to(server), protocol(unix.IPPROTO_UDP), port(53), divertTo(dns))
		add(nftDivert, to(server), protocol(unix.IPPROTO_TCP), port(53), divertTo(dns))
		add(nftDivert, protocol(unix.IPPROTO_TCP), in(set), divertTo(listener))
		add(nftRefuse, to(Virtual), protocol(unix.IPPROTO_TCP), count(refused))
		add(nftRefuse, to(Virtual), protocol(unix.IPPROTO_TCP), reject(unix.NFT_REJECT_TCP_RST, 0))
		add(nftRefuse, to(Virtual), reject(unix.NFT_REJECT_ICMP_UNREACH, icmpPortUnreachable))
		return addElements(c, set, first)
	})
	if err != nil {
		return err
	}
	return t.change(rest, nil)
}

// change takes pairs out of the set and puts others in. The pairs to remove
// must be there.
func (t *table) change(add, remove []netip.AddrPort) error {
	for len(add)+len(remove) > 0 {
		var nowAdd, nowRemove []netip.AddrPort
		nowRemove, remove = split(remove, elementsPerBatch)
		nowAdd, add = split(add, elementsPerBatch-len(nowRemove))
		err := t.batch(func(c *nftables.Conn) error {
			set := permittedSet()
			set.ID = 0 // the set exists: by name
			for len(nowRemove) > 0 {
				var part []netip.AddrPort
				part, nowRemove = split(nowRemove, elementsPerMessage)
				if err := c.SetDeleteElements(set, elements(part)); err != nil {
					return err
				}
			}
			return addElements(c, set, nowAdd)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// empty takes every pair out of the set, so that all is refused.
func (t *table) empty() error {
	return t.batch(func(c *nftables.Conn) error {
		c.FlushSet(permittedSet())
		return nil
	})
}

// batch sends what fill puts together as one transaction. The socket is kept for
// the next one, since the kernel makes whoever closes it wait for all that was
// removed (13 ms were seen); but not after an error, as it may still hold answers.
func (t *table) batch(fill func(*nftables.Conn) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("nftables in the sandbox: %w", errors.Join(err, t.close()))
		}
	}()
	if t.conn == nil {
		if err := t.open(); err != nil {
			return err
		}
	}
	if err := t.socket.SetDeadline(time.Now().Add(netlinkTimeout)); err != nil {
		return err
	}
	if err := fill(t.conn); err != nil {
		return err
	}
	return t.conn.Flush()
}

func (t *table) open() error {
	return netns.Within(t.ns, func() (err error) {
		t.conn, err = nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(s *netlink.Conn) error {
			t.socket = s
			return nil
		}))
		return err
	})
}

func (t *table) close() error {
	if t.conn == nil {
		return nil
	}
	c := t.conn
	t.conn = nil
	return c.CloseLasting()
}

func addElements(c *nftables.Conn, set *nftables.Set, pairs []netip.AddrPort) error {
	for len(pairs) > 0 {
		var part []netip.AddrPort
		part, pairs = split(pairs, elementsPerMessage)
		if err := c.SetAddElements(set, elements(part)); err != nil {
			return err
		}
	}
	return nil
}

func elements(pairs []netip.AddrPort) []nftables.SetElement {
	out := make([]nftables.SetElement, len(pairs))
	for i, p := range pairs {
		key := make([]byte, 8) // both parts padded to a register's 4 bytes
		ip := p.Addr().As4()
		copy(key, ip[:])
		copy(key[4:], binaryutil.BigEndian.PutUint16(p.Port()))
		out[i].Key = key
	}
	return out
}

func split(pairs []netip.AddrPort, n int) (head, tail []netip.AddrPort) {
	n = min(n, len(pairs))
	return pairs[:n], pairs[n:]
}
