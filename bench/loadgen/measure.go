package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

type latency struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50Micros"`
	P99   float64 `json:"p99Micros"`
}

func summarize(samples []time.Duration) latency {
	slices.Sort(samples)
	at := func(q float64) float64 {
		if len(samples) == 0 {
			return 0
		}
		return float64(samples[int(float64(len(samples)-1)*q)]) / 1e3
	}
	return latency{len(samples), at(0.50), at(0.99)}
}

// parallel runs work n times at once, each on a thread of its own, and gives
// all samples and the first error.
func parallel(n int, work func() ([]time.Duration, error)) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var first error
	var done sync.WaitGroup
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			samples, err := work()
			mu.Lock()
			defer mu.Unlock()
			all = append(all, samples...)
			if first == nil {
				first = err
			}
		})
	}
	done.Wait()
	return all, first
}

// connections counts how often a second a client can connect, get an answer of
// one byte to its one byte, and close. Any failure fails the measurement.
func connections(o options) (any, error) {
	to, err := sockaddr(o.addr)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	end := start.Add(o.duration)
	samples, err := parallel(o.workers, func() (samples []time.Duration, err error) {
		for t := start; len(samples) == 0 || t.Before(end); { // at least one
			if err := oneByte(to); err != nil {
				return samples, fmt.Errorf("after %d connections: %w", len(samples), err)
			}
			now := time.Now()
			samples = append(samples, now.Sub(t))
			t = now
		}
		return samples, nil
	})
	if err != nil {
		return nil, err
	}
	return struct {
		PerSecond float64 `json:"perSecond"`
		latency
	}{float64(len(samples)) / time.Since(start).Seconds(), summarize(samples)}, nil
}

func oneByte(to syscall.Sockaddr) error {
	fd, err := dial(to)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	b := []byte{askByte}
	if err := writeAll(fd, b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := readFull(fd, b); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

// roundTrips times one small message after another on one connection.
func roundTrips(o options) (any, error) {
	to, err := sockaddr(o.addr)
	if err != nil {
		return nil, err
	}
	samples, err := parallel(1, func() (samples []time.Duration, err error) {
		fd, err := dial(to)
		if err != nil {
			return nil, err
		}
		defer syscall.Close(fd)
		if err := writeAll(fd, []byte{askEcho}); err != nil {
			return nil, err
		}
		message := make([]byte, 64)
		const warmUp = 50
		end := time.Now().Add(o.duration)
		for i := 0; ; i++ {
			t := time.Now()
			if t.After(end) {
				return samples, nil
			}
			if err := writeAll(fd, message); err != nil {
				return nil, err
			}
			if err := readFull(fd, message); err != nil {
				return nil, err
			}
			if i >= warmUp {
				samples = append(samples, time.Since(t))
			}
		}
	})
	return summarize(samples), err
}

// throughput sends for the given time and counts what the far program received;
// the time runs until its last count is back.
func throughput(o options) (any, error) {
	to, err := sockaddr(o.addr)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var received uint64
	start := time.Now()
	_, err = parallel(o.streams, func() ([]time.Duration, error) {
		fd, err := dial(to)
		if err != nil {
			return nil, err
		}
		defer syscall.Close(fd)
		if err := writeAll(fd, []byte{askSink}); err != nil {
			return nil, err
		}
		buf := make([]byte, 128<<10)
		var sent uint64
		for end := start.Add(o.duration); time.Now().Before(end); sent += uint64(len(buf)) {
			if err := writeAll(fd, buf); err != nil {
				return nil, err
			}
		}
		if err := syscall.Shutdown(fd, syscall.SHUT_WR); err != nil {
			return nil, err
		}
		var count [8]byte
		if err := readFull(fd, count[:]); err != nil {
			return nil, fmt.Errorf("no count from the far end: %w", err)
		}
		n := binary.BigEndian.Uint64(count[:])
		if n != sent {
			return nil, fmt.Errorf("sent %d bytes, %d arrived", sent, n)
		}
		mu.Lock()
		defer mu.Unlock()
		received += n
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	return struct {
		GigabitsPerSecond float64 `json:"gigabitsPerSecond"`
	}{float64(received) * 8 / 1e9 / time.Since(start).Seconds()}, nil
}
