package node

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// winner returns an attempt that leaves all but the nth unanswered, and the far end
// of the one that connects.
func winner(t *testing.T, nth int) (attempt func(context.Context, bool) (net.Conn, error), far net.Conn) {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	made := make(chan int, 1)
	made <- 1
	return func(ctx context.Context, again bool) (net.Conn, error) {
		this := <-made
		made <- this + 1
		if again != (this > 1) {
			t.Errorf("attempt %d: again is %v", this, again)
		}
		if this != nth {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if !again {
			go near.Write([]byte("first"))
		}
		return near, nil
	}, far
}

func TestRaceIsWonOnce(t *testing.T) {
	for nth := 1; nth <= 3; nth++ {
		attempt, far := winner(t, nth)
		heard := make(chan string, 1)
		go func() {
			b := make([]byte, 5)
			io.ReadFull(far, b)
			heard <- string(b)
		}()
		if _, err := race(t.Context(), 5*time.Millisecond, attempt, []byte("first")); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != "first" {
			t.Fatalf("attempt %d: the target heard %q", nth, got)
		}
	}
}

func TestRaceEndsWithARefusal(t *testing.T) {
	_, err := race(t.Context(), time.Hour, func(context.Context, bool) (net.Conn, error) { return nil, syscall.ECONNREFUSED }, nil)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
}

func TestRaceEndsAtItsDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	attempt, _ := winner(t, 0)
	if _, err := race(ctx, time.Millisecond, attempt, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}
