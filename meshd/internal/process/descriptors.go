package process

import (
	"errors"
	"os"
	"syscall"
)

// Descriptors is how many files this process has open, and how many it may.
type Descriptors struct {
	Open  uint64 `json:"open"`
	Limit uint64 `json:"limit"`
}

// OpenDescriptors counts them; nil where that cannot be seen.
func OpenDescriptors() *Descriptors {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return nil
	}
	open, err := entries("/proc/self/fd")
	switch {
	case errors.Is(err, syscall.EMFILE): // none is left to look with
		return &Descriptors{Open: limit.Cur, Limit: limit.Cur}
	case err != nil:
		return nil
	}
	return &Descriptors{Open: uint64(open - 1), Limit: limit.Cur} // not counting the folder's own
}

func entries(folder string) (int, error) {
	f, err := os.Open(folder)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	names, err := f.Readdirnames(0)
	return len(names), err
}
