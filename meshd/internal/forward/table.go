package forward

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
)

// ErrStopping means that meshd is on its way out.
var ErrStopping = errors.New("meshd is stopping")

// Table is the forwards that are open, by id.
type Table struct {
	carry Carrier
	log   *slog.Logger

	mu      sync.Mutex
	open    map[string]*open
	stopped bool
}

// NewTable makes an empty table, whose connections carry carries.
func NewTable(carry Carrier, log *slog.Logger) *Table {
	return &Table{carry: carry, log: log, open: map[string]*open{}}
}

// Listen opens a forward and says where it listens. One that is open there already is
// led to where f leads, and its connections go on.
func (t *Table) Listen(f Forward) (Status, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return Status{}, ErrStopping
	}
	if o := t.open[f.ID]; o != nil {
		if f.Listen == o.where().Listen || f.Listen == o.bound() {
			o.lead(f)
			return o.now(), nil
		}
		o.close()
		delete(t.open, f.ID)
	}
	o, err := start(f, t.carry, t.log.With("forward", f.ID))
	if err != nil {
		return Status{}, err
	}
	t.open[f.ID] = o
	return o.now(), nil
}

// Close closes a forward and resets its connections. One that is not there is no error.
func (t *Table) Close(id string) {
	t.mu.Lock()
	o := t.open[id]
	delete(t.open, id)
	t.mu.Unlock()
	if o != nil {
		o.close()
	}
}

// CloseAll closes all of them, for good.
func (t *Table) CloseAll() {
	t.mu.Lock()
	all := t.open
	t.open, t.stopped = map[string]*open{}, true
	t.mu.Unlock()
	for _, o := range all {
		o.close()
	}
}

// List is all of them, by id.
func (t *Table) List() []Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Status, 0, len(t.open))
	for _, o := range t.open {
		out = append(out, o.now())
	}
	slices.SortFunc(out, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
