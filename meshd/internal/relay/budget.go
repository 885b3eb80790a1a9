package relay

import "syscall"

// A flow holds two sockets and, spliced, two pipes; meshd's own sockets, nodes and
// sandboxes keep a share.
const (
	descriptorsPerFlow  = 6
	descriptorsReserved = 512
	smallestBudget      = 32
)

// Budget raises the soft descriptor limit to the hard one and says how many flows
// fit in it.
func Budget() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return smallestBudget
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return smallestBudget
	}
	return flowsIn(limit.Max)
}

func flowsIn(descriptors uint64) int {
	if descriptors < descriptorsReserved+smallestBudget*descriptorsPerFlow {
		return smallestBudget
	}
	return int(min((descriptors-descriptorsReserved)/descriptorsPerFlow, 1<<20))
}
