package main

import (
	"fmt"
	"io"
	"net/netip"
	"syscall"
	"time"
)

// The first byte of a connection says what its client wants.
const (
	askByte = 'B' // one byte back, then close
	askEcho = 'E'
	askSink = 'S' // read all, then send the count
)

// A measured operation that takes this long has failed.
const patience = 10 * time.Second

func sockaddr(addr string) (syscall.Sockaddr, error) {
	p, err := netip.ParseAddrPort(addr)
	if err != nil || !p.Addr().Is4() {
		return nil, fmt.Errorf("%q is no IPv4 address and port", addr)
	}
	return &syscall.SockaddrInet4{Port: int(p.Port()), Addr: p.Addr().As4()}, nil
}

// dial gives a connected blocking socket that times out.
func dial(to syscall.Sockaddr) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := prepare(fd); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	if err := retry(func() error { return syscall.Connect(fd, to) }); err != nil {
		syscall.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

func prepare(fd int) error {
	limit := syscall.NsecToTimeval(int64(patience))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit); err != nil {
		return err
	}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit); err != nil {
		return err
	}
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

// retry repeats a call that a signal of Go's own scheduler interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

func readSome(fd int, p []byte) (n int, err error) {
	err = retry(func() error { n, err = syscall.Read(fd, p); return err })
	if err == nil && n == 0 {
		err = io.EOF
	}
	return max(n, 0), err
}

func readFull(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := readSome(fd, p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		var n int
		err := retry(func() (err error) { n, err = syscall.Write(fd, p); return err })
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
