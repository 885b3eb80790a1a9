package node

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	leadTime      = 100 * time.Millisecond
	answerWait    = 250 * time.Millisecond // at first; doubles
	answerWaitMax = 2 * time.Second
	wakeFor       = 10 * time.Second
)

// waker makes WireGuard sessions work again. A restart leaves them out of step: the
// peers go on with ones that the restarted node has forgotten; when the control
// server tells them of the restart they drop what they have, also a session that was
// made a moment ago; and two handshakes that cross annul each other. By itself
// WireGuard repeats a handshake after 5 s, and doubts a silent session after 15 s.
// A waker asks the peer for an answer, and begins a new session when nothing comes.
type waker struct {
	life context.Context
	end  context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	going map[string]*wake // by the peer's id
}

// wake is the waking of one peer.
type wake struct {
	session session
	lost    chan struct{} // the session has ended here, and any question with it
}

// session is what waking needs to know of the one with a peer.
type session interface {
	// leads is true on one of the two sides, which asks first.
	leads() bool
	// ask sends a question to the peer, after a handshake when there is no session.
	ask(answered func())
	// received counts what has come through the session.
	received() uint64
	// forget ends the session and any handshake.
	forget()
}

func newWaker() *waker {
	life, end := context.WithCancel(context.Background())
	return &waker{life: life, end: end, going: map[string]*wake{}}
}

// wake sees to it that the session with a peer works, unless that is going on. lost
// tells that the session has just ended here.
func (w *waker) wake(peer string, s session, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.going[peer]; k != nil {
		if lost {
			k.startOver()
		}
		return
	}
	if w.life.Err() != nil {
		return
	}
	k := &wake{session: s, lost: make(chan struct{}, 1)}
	w.going[peer] = k
	w.done.Go(func() {
		ctx, cancel := context.WithTimeout(w.life, wakeFor)
		defer cancel()
		for k.run(ctx); !w.over(ctx, peer, k); k.run(ctx) {
		}
	})
}

// over takes a wake off the list, unless the session has ended after the answer.
func (w *waker) over(ctx context.Context, peer string, k *wake) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(k.lost) > 0 && ctx.Err() == nil {
		return false
	}
	delete(w.going, peer)
	return true
}

// close ends all wakes.
func (w *waker) close() {
	w.mu.Lock()
	w.end()
	w.mu.Unlock()
	w.done.Wait()
}

func (k *wake) startOver() {
	select {
	case k.lost <- struct{}{}:
	default:
	}
}

// run asks until the peer has answered or the time is up. One side leads, and the
// waits differ by chance, so that two nodes that wake each other do not keep crossing.
// A session through which anything comes is left alone: the answer is only late.
func (k *wake) run(ctx context.Context) {
	if !k.session.leads() {
		k.await(ctx, leadTime, nil)
	}
	for wait := answerWait; ctx.Err() == nil; {
		before := k.session.received()
		answer := make(chan struct{})
		k.session.ask(sync.OnceFunc(func() { close(answer) }))
		switch k.await(ctx, wait+rand.N(wait/2), answer) {
		case answered:
			return
		case lost:
			wait = answerWait
		case silent:
			if k.session.received() == before {
				k.session.forget()
			}
			wait = min(2*wait, answerWaitMax)
		}
	}
}

type outcome int

const (
	silent outcome = iota
	answered
	lost
)

func (k *wake) await(ctx context.Context, wait time.Duration, answer <-chan struct{}) outcome {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-answer:
		return answered
	case <-k.lost:
		return lost
	case <-timer.C:
	case <-ctx.Done():
	}
	return silent
}
