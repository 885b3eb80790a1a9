package process

import (
	"os"
	"syscall"
	"testing"
)

func TestOpenDescriptors(t *testing.T) {
	before := OpenDescriptors()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if now := OpenDescriptors(); now.Open != before.Open+1 {
		t.Errorf("%d are open after one more than %d", now.Open, before.Open)
	}

	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// The lowest number that is free is the first that may not be had.
	none := syscall.Rlimit{Cur: lowestFree(t), Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	now := OpenDescriptors()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if now.Open != none.Cur || now.Limit != none.Cur {
		t.Errorf("with none left: %d of %d", now.Open, now.Limit)
	}
}

func lowestFree(t *testing.T) uint64 {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return uint64(f.Fd())
}
