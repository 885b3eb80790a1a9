package node

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

type interfaceRequest struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

// setAddress gives a device of this thread's namespace an address with its on-link
// prefix and brings it up. The kernel adds the connected route; there is no other.
func setAddress(device string, p netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ask := func(what string, op uintptr, data []byte) error {
		var r interfaceRequest
		copy(r.name[:], device)
		copy(r.data[:], data)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), op, uintptr(unsafe.Pointer(&r))); errno != 0 {
			return fmt.Errorf("%s of %s: %w", what, device, errno)
		}
		return nil
	}
	inet := func(address []byte) []byte {
		b := make([]byte, 16)
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		copy(b[4:], address)
		return b
	}
	if err := ask("address", unix.SIOCSIFADDR, inet(p.Addr().AsSlice())); err != nil {
		return err
	}
	if err := ask("netmask", unix.SIOCSIFNETMASK, inet(net.CIDRMask(p.Bits(), 32))); err != nil {
		return err
	}
	var up [2]byte
	binary.NativeEndian.PutUint16(up[:], unix.IFF_UP)
	return ask("flags", unix.SIOCSIFFLAGS, up[:])
}
