// Package netns runs small pieces of code inside another network namespace.
//
// A network namespace belongs to an OS thread. Within moves the calling
// goroutine's thread there and back around one function, which should do no
// more than make sockets: a socket stays in the namespace it was made in, so it
// can be connected, accepted from and closed from anywhere afterwards.
//
// It promises that no goroutine ever runs in a namespace by accident: a thread
// that cannot come back is never given back to the scheduler. On a developer's
// machine meshd has its privileges in a user namespace of its own, so none can
// come back to the machine's network: there each excursion ends its thread.
package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	home    *os.File // the namespace this process was started in
	homeErr error
)

// The main goroutine keeps the main thread to itself, so that thread never
// changes its namespace: /proc/self/ns/net and /proc/net are always the main
// thread's, and the runtime could not end that thread if its way back failed.
func init() {
	runtime.LockOSThread()
	home, homeErr = os.Open("/proc/self/ns/net")
}

// canReturn tells whether a thread that has left may enter this process's first
// namespace again.
var canReturn = sync.OnceValue(func() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return homeErr == nil && enter(home) == nil // from where it is
})

// Within runs fn on an OS thread inside the namespace f, then brings the thread
// back, or ends it where there is no way back. fn must not start goroutines that
// count on the namespace, and should not block. If the way back fails, an error is
// returned and the thread is never unlocked: it ends with the calling goroutine,
// which must not go on.
func Within(f *os.File, fn func() error) (err error) {
	return excursion(func() error { return enter(f) }, fn)
}

// New makes a network namespace without a name; it lives as long as the file,
// or a thread or socket inside it.
func New() (ns *os.File, err error) {
	err = excursion(
		func() error { return unix.Unshare(unix.CLONE_NEWNET) },
		func() error {
			ns, err = os.Open("/proc/thread-self/ns/net")
			return err
		})
	if err != nil {
		if ns != nil {
			ns.Close()
		}
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	return ns, nil
}

// excursion pins the thread, leaves home, runs fn and comes back, also when fn
// panics.
func excursion(leave, fn func() error) (err error) {
	if homeErr != nil {
		return fmt.Errorf("own network namespace is unknown, so there would be no way back: %w", homeErr)
	}
	if !canReturn() {
		return oneWay(leave, fn)
	}
	runtime.LockOSThread()
	if err := leave(); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		if back := enter(home); back != nil {
			err = fmt.Errorf("return to own network namespace: %w", back)
			return // still locked, on purpose
		}
		runtime.UnlockOSThread()
	}()
	return fn()
}

// oneWay makes the excursion on a thread that ends with it, and passes a panic on.
func oneWay(leave, fn func() error) (err error) {
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		runtime.LockOSThread() // and never unlocked
		if err = leave(); err == nil {
			err = fn()
		}
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// enter holds on to the descriptor while it is used: closed and opened again by
// someone else, its number could name another namespace.
func enter(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	closed := raw.Control(func(fd uintptr) { err = unix.Setns(int(fd), unix.CLONE_NEWNET) })
	if err := errors.Join(err, closed); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	return nil
}
