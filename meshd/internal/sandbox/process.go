package sandbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/process"
)

// ErrGone says that the process which holds the sandbox has ended, or that its
// pid is another process's by now.
var ErrGone = errors.New("the sandbox's process has ended")

// A Ref names a sandbox by its id and by the process whose network namespace it
// is. A pid alone can be used again; with the time the process was started
// (field 22 of /proc/PID/stat) it names one process for ever.
type Ref struct {
	ID        string
	PID       int
	StartTime uint64
}

// openProcess returns a descriptor of the process and one of its network
// namespace. The start time is read after both were opened: if it is the
// expected one, the same process was there all along.
func openProcess(ref Ref) (holder, namespace *os.File, err error) {
	fd, err := unix.PidfdOpen(ref.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil, ErrGone
	}
	if err != nil {
		return nil, nil, fmt.Errorf("pidfd of process %d: %w", ref.PID, err)
	}
	holder = os.NewFile(uintptr(fd), "pidfd")
	namespace, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", ref.PID))
	if err == nil {
		var started uint64
		started, err = process.StartTime(ref.PID)
		if err == nil && started == ref.StartTime {
			return holder, namespace, nil
		}
		namespace.Close()
		if err == nil {
			err = ErrGone
		}
	}
	holder.Close()
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		err = ErrGone
	}
	return nil, nil, err
}

// awaitEnd returns once the process has ended, or its descriptor was closed.
// It waits in the runtime's poller and holds no thread.
func awaitEnd(holder *os.File) {
	raw, err := holder.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		return n > 0 || (err != nil && err != unix.EINTR)
	})
}
