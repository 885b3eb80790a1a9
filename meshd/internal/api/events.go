package api

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"
)

// feedSize bounds the events that wait for one subscriber.
const feedSize = 4096

const (
	batchEvery = 5 * time.Millisecond
	batchBytes = 64 << 10
)

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

// pump writes events to the client until ctx ends or the client is gone. An event
// after a quiet time is told at once; a busy stream is told in batches, since a
// write for every flow costs more than the flow.
func (f *feed) pump(ctx context.Context, to *connection) {
	defer func() {
		f.hub.mu.Lock()
		delete(f.hub.feeds, f)
		f.hub.mu.Unlock()
	}()
	pause := time.NewTimer(0)
	defer pause.Stop()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-f.events:
			encoder.Encode(e)
		case <-f.wake:
		}
		f.gather(encoder, &lines)
		if lines.Len() > 0 && to.write(lines.Bytes()) != nil {
			return
		}
		lines.Reset()
		pause.Reset(batchEvery)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// gather adds the events that wait, up to a batch, and what was missed until now.
func (f *feed) gather(encoder *json.Encoder, lines *bytes.Buffer) {
	for waiting := true; waiting && lines.Len() < batchBytes; {
		select {
		case e := <-f.events:
			encoder.Encode(e)
		default:
			waiting = false
		}
	}
	f.hub.mu.Lock()
	missed := f.missed
	f.missed = 0
	f.hub.mu.Unlock()
	if missed > 0 {
		encoder.Encode(event{"dropped", dropped{missed}})
	}
}
