package api

import (
	"context"
	"sync"
)

// feedSize bounds the events that wait for one subscriber.
const feedSize = 4096

// Hub passes events on to subscribers. Publish never blocks.
type Hub struct {
	mu    sync.Mutex
	feeds map[*feed]struct{}
}

// NewHub makes a hub without subscribers.
func NewHub() *Hub { return &Hub{feeds: map[*feed]struct{}{}} }

type event struct {
	Event string `json:"event"`
	Data  any    `json:"data"`
}

type dropped struct {
	Count int `json:"count"`
}

// Publish offers an event to every subscriber. data must not change afterwards.
func (h *Hub) Publish(name string, data any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.feeds {
		f.offer(event{name, data})
	}
}

func (h *Hub) subscribe() *feed {
	f := &feed{hub: h, events: make(chan event, feedSize), wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.feeds[f] = struct{}{}
	return f
}

// feed is one subscriber's queue.
type feed struct {
	hub    *Hub
	events chan event
	wake   chan struct{} // something was dropped
	missed int           // under hub.mu
}

func (f *feed) offer(e event) {
	select {
	case f.events <- e:
	default:
		f.missed++
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// pump writes events to the client until ctx ends or the client is gone.
func (f *feed) pump(ctx context.Context, to *connection) {
	defer func() {
		f.hub.mu.Lock()
		delete(f.hub.feeds, f)
		f.hub.mu.Unlock()
	}()
	for {
		var e event
		select {
		case <-ctx.Done():
			return
		case e = <-f.events:
		case <-f.wake:
			f.hub.mu.Lock()
			missed := f.missed
			f.missed = 0
			f.hub.mu.Unlock()
			if missed == 0 {
				continue // told with the wake-up before
			}
			e = event{"dropped", dropped{missed}}
		}
		if to.send(e) != nil {
			return
		}
	}
}
