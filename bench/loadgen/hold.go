package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// A refused connection is tried again this often.
const holdRetry = time.Millisecond

// hold keeps so many echo streams open, and prints a line when all are, and one when
// the last has been broken off; then it begins anew. While open they are idle.
func hold(o options) error {
	to, err := sockaddr(o.addr)
	if err != nil {
		return err
	}
	type line struct {
		Open  int     `json:"open"`
		First float64 `json:"first,omitempty"`
		Last  float64 `json:"last,omitempty"`
	}
	out := json.NewEncoder(os.Stdout)
	for {
		p, err := newPoll()
		if err != nil {
			return err
		}
		for p.streams < o.streams {
			if err := p.add(to); err != nil {
				time.Sleep(holdRetry)
			}
		}
		if err := out.Encode(line{Open: o.streams}); err != nil {
			return err
		}
		first, last, err := p.untilBroken()
		if err != nil {
			return err
		}
		if err := out.Encode(line{First: millis(first.UnixNano()), Last: millis(last.UnixNano())}); err != nil {
			return err
		}
	}
}

// poll watches streams on one thread.
type poll struct{ fd, streams int }

func newPoll() (*poll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &poll{fd: fd}, err
}

// add opens a stream, which works in both directions when this returns.
func (p *poll) add(to syscall.Sockaddr) error {
	fd, err := dial(to)
	if err != nil {
		return err
	}
	if err := errors.Join(writeAll(fd, []byte{askEcho, 'x'}), readFull(fd, make([]byte, 1))); err != nil {
		syscall.Close(fd)
		return err
	}
	p.streams++
	return syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

// untilBroken waits for the end of all streams, and says when the first and the last
// were seen to be broken. One that ends in another way is an error.
func (p *poll) untilBroken() (first, last time.Time, err error) {
	defer syscall.Close(p.fd)
	events, buf := make([]syscall.EpollEvent, 256), make([]byte, 1)
	for p.streams > 0 {
		var n int
		if err := retry(func() (err error) { n, err = syscall.EpollWait(p.fd, events, -1); return err }); err != nil {
			return first, last, err
		}
		for _, e := range events[:n] {
			if _, err := readSome(int(e.Fd), buf); err != syscall.ECONNRESET {
				return first, last, fmt.Errorf("a stream ended with %v", err)
			}
			last = time.Now()
			if first.IsZero() {
				first = last
			}
			syscall.Close(int(e.Fd))
			p.streams--
		}
	}
	return first, last, nil
}

// What each stream of load carries there and back.
const loadBytes = 32 << 10

// load opens so many streams a second, one after the other, each of which carries
// bytes there and back. Failures do not matter here.
func load(o options) error {
	to, err := sockaddr(o.addr)
	if err != nil {
		return err
	}
	bytes := make([]byte, loadBytes)
	for tick := time.NewTicker(time.Second / time.Duration(o.rate)); ; <-tick.C {
		fd, err := dial(to)
		if err != nil {
			continue
		}
		if errors.Join(writeAll(fd, []byte{askEcho}), writeAll(fd, bytes)) == nil {
			readFull(fd, bytes)
		}
		syscall.Close(fd)
	}
}
