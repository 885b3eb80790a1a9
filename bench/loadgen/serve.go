package main

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

// Enough to keep an accept waiting while others answer.
const acceptors = 16

// serve answers on addr until it is killed.
func serve(addr string) error {
	at, err := sockaddr(addr)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := syscall.Bind(fd, at); err != nil {
		return fmt.Errorf("bind %s: %w", addr, err)
	}
	if err := syscall.Listen(fd, syscall.SOMAXCONN); err != nil {
		return err
	}
	failed := make(chan error)
	for range acceptors {
		go func() { failed <- accept(fd) }()
	}
	return <-failed
}

func accept(listener int) error {
	for {
		var fd int
		err := retry(func() (err error) {
			fd, _, err = syscall.Accept4(listener, syscall.SOCK_CLOEXEC)
			return err
		})
		switch {
		case err == syscall.ECONNABORTED:
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		var ask [1]byte
		if prepare(fd) != nil || readFull(fd, ask[:]) != nil {
			syscall.Close(fd)
			continue
		}
		if ask[0] == askByte { // answered here: a goroutine more would cost as much as the answer
			writeAll(fd, ask[:])
			syscall.Close(fd)
			continue
		}
		go func() {
			defer syscall.Close(fd)
			if ask[0] == askEcho {
				echo(fd)
			} else {
				sink(fd)
			}
		}()
	}
}

func echo(fd int) {
	buf := make([]byte, 64<<10)
	for {
		n, err := readSome(fd, buf)
		if err == syscall.EAGAIN {
			continue // idle, as those of hold are
		}
		if err != nil || writeAll(fd, buf[:n]) != nil {
			return
		}
	}
}

func sink(fd int) {
	buf := make([]byte, 256<<10)
	var total uint64
	for {
		n, err := readSome(fd, buf)
		total += uint64(n)
		if err != nil {
			break
		}
	}
	writeAll(fd, binary.BigEndian.AppendUint64(nil, total))
}
