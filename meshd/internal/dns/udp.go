package dns

import (
	"net"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize = 32
	// Queries are small. A longer one is cut, which makes it malformed.
	maxUDPQuery = 512
)

// A batch holds what recvmmsg fills and sendmmsg sends. Idle servers hold none.
type batch struct {
	in, out   [batchSize]mmsghdr
	received  [batchSize]unix.Iovec
	sending   [batchSize]unix.Iovec
	addresses [batchSize]unix.RawSockaddrInet4
	queries   [batchSize][maxUDPQuery]byte
	responses [batchSize][MaxUDP]byte
}

// mmsghdr is struct mmsghdr of sendmmsg(2); Go pads it as C does.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

var batches = sync.Pool{New: func() any {
	b := new(batch)
	for i := range batchSize {
		b.received[i].Base = &b.queries[i][0]
		b.received[i].SetLen(maxUDPQuery)
		b.in[i].header.Iov = &b.received[i]
		b.in[i].header.SetIovlen(1)
		b.in[i].header.Name = (*byte)(unsafe.Pointer(&b.addresses[i]))
		b.in[i].header.Namelen = unix.SizeofSockaddrInet4
		b.sending[i].Base = &b.responses[i][0]
	}
	return b
}}

// ServeUDP answers from the current zone until the socket, an IPv4 one, is
// closed.
func ServeUDP(c *net.UDPConn, zone func() *Zone) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	var b *batch // held only while there is something to answer
	var n int
	read := func(fd uintptr) bool {
		if b == nil {
			b = batches.Get().(*batch)
		}
		var failed syscall.Errno
		if n, failed = mmsg(unix.SYS_RECVMMSG, fd, b.in[:]); failed == 0 {
			return true
		}
		batches.Put(b)
		b = nil
		return failed != unix.EAGAIN
	}
	for {
		if raw.Read(read) != nil {
			return // closed
		}
		if b != nil {
			b.send(raw, b.answer(n, zone()))
		}
	}
}

// answer turns the first n queries into responses and returns how many there are.
func (b *batch) answer(n int, z *Zone) (responses int) {
	for i := range n {
		size := int(b.in[i].length)
		b.in[i].header.Namelen = unix.SizeofSockaddrInet4
		response := z.Answer(b.queries[i][:size], true, b.responses[responses][:0])
		if response == nil {
			continue
		}
		// Usually a copy onto itself; not if the answer grew before it was cut.
		b.sending[responses].SetLen(copy(b.responses[responses][:], response))
		h := &b.out[responses].header
		h.Iov = &b.sending[responses]
		h.SetIovlen(1)
		h.Name = b.in[i].header.Name
		h.Namelen = unix.SizeofSockaddrInet4
		responses++
	}
	return responses
}

func (b *batch) send(raw syscall.RawConn, n int) {
	sent := 0
	raw.Write(func(fd uintptr) bool {
		for sent < n {
			done, failed := mmsg(unix.SYS_SENDMMSG, fd, b.out[sent:n])
			switch failed {
			case 0:
				sent += done
			case unix.EAGAIN:
				return false
			default:
				sent++ // this client cannot be answered; the others can
			}
		}
		return true
	})
}

// mmsg tells Go's scheduler although it cannot block: a batch takes so long that another
// thread had better go on meanwhile. Untold it answered 6 % fewer queries, and on a busy
// processor only a fifth as many.
func mmsg(call, fd uintptr, messages []mmsghdr) (int, syscall.Errno) {
	for {
		n, _, failed := unix.Syscall6(call, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		if failed != unix.EINTR {
			return int(n), failed
		}
	}
}
