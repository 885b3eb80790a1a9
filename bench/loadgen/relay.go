package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
)

// relay carries connections from listen to dial as plainly as Go can: io.Copy
// between two TCP connections splices in the kernel. It runs in the namespace
// it dials from; only its listener is made in another.
func relay(o options) error {
	runtime.GOMAXPROCS(runtime.NumCPU()) // it uses Go's poller: the usual number of slots
	listener, err := listenIn(o.netns, o.listen)
	if err != nil {
		return err
	}
	dialer := net.Dialer{KeepAlive: -1}
	dialer.SetMultipathTCP(false)
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			target, err := dialer.DialContext(context.Background(), "tcp4", o.dial)
			if err != nil {
				fmt.Fprintln(os.Stderr, "relay:", err)
				return
			}
			defer target.Close()
			back := make(chan struct{})
			go func() {
				defer close(back)
				copyAndClose(c.(*net.TCPConn), target.(*net.TCPConn))
			}()
			copyAndClose(target.(*net.TCPConn), c.(*net.TCPConn))
			<-back
		}()
	}
}

func copyAndClose(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.SetLinger(0) // an abort stays an abort
		to.Close()
		return
	}
	to.CloseWrite()
}

// listenIn makes the listener on a thread that enters the namespace and is
// thrown away: a socket stays where it was made.
func listenIn(netns, addr string) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	if netns == "" {
		return config.Listen(context.Background(), "tcp4", addr)
	}
	type made struct {
		net.Listener
		error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		l, err := func() (net.Listener, error) {
			f, err := os.Open(netns)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			if _, _, errno := syscall.RawSyscall(sysSetns, f.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
				return nil, errors.Join(fmt.Errorf("enter %s", netns), errno)
			}
			return config.Listen(context.Background(), "tcp4", addr)
		}()
		result <- made{l, err}
	}()
	r := <-result
	return r.Listener, r.error
}
