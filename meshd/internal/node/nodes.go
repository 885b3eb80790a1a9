package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// ErrStopping means that meshd is on its way out.
var ErrStopping = errors.New("meshd is stopping")

// Nodes holds a host's nodes, one a network. Joins and leaves of one network happen
// one after another; those of different networks do not wait for each other.
type Nodes struct {
	dir   string
	log   *slog.Logger
	hooks Hooks

	mu      sync.Mutex
	slots   map[string]*slot
	stopped bool
}

// slot is one network's place.
type slot struct {
	busy   sync.Mutex // a join or leave is going on
	mu     sync.Mutex
	node   *Node
	status Status
}

// NewNodes makes a host without nodes; their state goes under dir, by network id.
func NewNodes(dir string, log *slog.Logger, hooks Hooks) *Nodes {
	return &Nodes{dir: dir, log: log, hooks: hooks, slots: map[string]*slot{}}
}

func (n *Nodes) slot(network string) (*slot, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return nil, ErrStopping
	}
	s := n.slots[network]
	if s == nil {
		s = &slot{}
		n.slots[network] = s
	}
	return s, nil
}

// Get is the network's node, nil when it is not up.
func (n *Nodes) Get(network string) *Node {
	n.mu.Lock()
	s := n.slots[network]
	n.mu.Unlock()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node
}

// Join brings the network's node up. While it is up this only tells its status; a
// node that the control server has forgotten is joined anew.
func (n *Nodes) Join(ctx context.Context, c Config) (Status, error) {
	s, err := n.slot(c.Network)
	if err != nil {
		return Status{}, err
	}
	s.busy.Lock()
	defer s.busy.Unlock()
	if up := n.Get(c.Network); up != nil {
		if st := up.Status(); st.State != Failed {
			return st, nil
		}
		s.put(nil)
		up.Close()
	}
	c.Dir = n.stateDir(c.Network)
	node, err := Join(ctx, c, n.log, Hooks{Stream: n.hooks.Stream, Changed: func(st Status) { s.tell(st); n.hooks.Changed(st) }})
	if err != nil {
		st := s.last()
		st.Network, st.State, st.Error, st.Peers = c.Network, Failed, err.Error(), []Peer{}
		s.tell(st)
		n.hooks.Changed(st)
		return Status{}, err
	}
	n.mu.Lock()
	stopped := n.stopped
	if !stopped {
		s.put(node)
	}
	n.mu.Unlock()
	if stopped {
		node.Close()
		return Status{}, ErrStopping
	}
	return node.Status(), nil
}

// Leave takes the network's node down; forget deletes its identity as well.
func (n *Nodes) Leave(network string, forget bool) error {
	s, err := n.slot(network)
	if err != nil {
		return err
	}
	s.busy.Lock()
	defer s.busy.Unlock()
	if up := n.Get(network); up != nil {
		s.put(nil)
		up.Close()
	}
	s.tell(Status{}) // the slot stays: a join may be waiting for it
	if forget {
		return os.RemoveAll(n.stateDir(network))
	}
	return nil
}

// Statuses lists every network that was joined or tried.
func (n *Nodes) Statuses() []Status {
	n.mu.Lock()
	slots := make([]*slot, 0, len(n.slots))
	for _, s := range n.slots {
		slots = append(slots, s)
	}
	n.mu.Unlock()
	out := []Status{}
	for _, s := range slots {
		if st := s.last(); st.Network != "" {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b Status) int { return cmp.Compare(a.Network, b.Network) })
	return out
}

// Close takes all nodes down and keeps their state.
func (n *Nodes) Close() {
	n.mu.Lock()
	n.stopped = true
	var all sync.WaitGroup
	for _, s := range n.slots {
		s.mu.Lock()
		if up := s.node; up != nil {
			all.Go(up.Close)
			s.node = nil
		}
		s.mu.Unlock()
	}
	n.mu.Unlock()
	all.Wait()
}

func (n *Nodes) stateDir(network string) string {
	return filepath.Join(n.dir, "networks", network)
}

func (s *slot) put(node *Node) { s.mu.Lock(); s.node = node; s.mu.Unlock() }

func (s *slot) tell(st Status) { s.mu.Lock(); s.status = st; s.mu.Unlock() }

func (s *slot) last() Status { s.mu.Lock(); defer s.mu.Unlock(); return s.status }
