package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/netns"
)

const (
	loopback = 1 // the interface index of lo in every namespace

	// bubblewrap gives lo its address and brings it up a few milliseconds after
	// it has told the process's pid, and dies if someone else was first.
	loopbackPatience = 2 * time.Second
)

// raiseLoopback makes sure that lo is up and has a second address. With
// 127.0.0.1 alone, getaddrinfo's AI_ADDRCONFIG finds no IPv4 and asks for no A
// record (glibc ignores 127.0.0.1 there, but not 127.0.0.2).
func raiseLoopback(namespace *os.File) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("loopback interface: %w", err)
		}
	}()
	dial := func(c **netlink.Conn, config *netlink.Config) {
		if err == nil {
			// An address of its own: the kernel would give this process's pid,
			// and bubblewrap insists on its own, which can be the same number
			// in another pid namespace.
			config.PID = 1<<31 | rand.Uint32()
			err = netns.Within(namespace, func() (err error) {
				*c, err = netlink.Dial(unix.NETLINK_ROUTE, config)
				return err
			})
		}
	}
	var changes, c *netlink.Conn
	dial(&changes, &netlink.Config{Groups: unix.RTMGRP_LINK}) // first, so that no change is missed
	dial(&c, &netlink.Config{})
	if changes != nil {
		defer changes.Close()
	}
	if c != nil {
		defer c.Close()
	}
	if err != nil {
		return err
	}
	up, err := awaitLoopback(c, changes)
	if err != nil {
		return err
	}
	if !up {
		if err := bringUp(c); err != nil {
			return err
		}
	}
	return addAddress(c, []byte{127, 0, 0, 2})
}

// awaitLoopback gives whoever made the namespace the time to bring lo up.
func awaitLoopback(c, changes *netlink.Conn) (up bool, err error) {
	link := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(link[4:], loopback)
	state, err := c.Execute(netlink.Message{Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request}, Data: link})
	if err != nil {
		return false, err
	}
	if err := changes.SetReadDeadline(time.Now().Add(loopbackPatience)); err != nil {
		return false, err
	}
	for !tellsUp(state) {
		state, err = changes.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func tellsUp(links []netlink.Message) bool {
	for _, m := range links {
		if m.Header.Type == unix.RTM_NEWLINK && len(m.Data) >= unix.SizeofIfInfomsg &&
			binary.NativeEndian.Uint32(m.Data[4:]) == loopback && binary.NativeEndian.Uint32(m.Data[8:])&unix.IFF_UP != 0 {
			return true
		}
	}
	return false
}

func bringUp(c *netlink.Conn) error {
	link := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(link[4:], loopback)
	binary.NativeEndian.PutUint32(link[8:], unix.IFF_UP)  // flags
	binary.NativeEndian.PutUint32(link[12:], unix.IFF_UP) // which of them to change
	return request(c, unix.RTM_NEWLINK, 0, link)
}

func addAddress(c *netlink.Conn, address []byte) error {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.IFA_LOCAL, Data: address},
		{Type: unix.IFA_ADDRESS, Data: address},
	})
	if err != nil {
		return err
	}
	message := make([]byte, unix.SizeofIfAddrmsg)
	message[0], message[1], message[3] = unix.AF_INET, 32, unix.RT_SCOPE_HOST
	binary.NativeEndian.PutUint32(message[4:], loopback)
	err = request(c, unix.RTM_NEWADDR, netlink.Create|netlink.Excl, append(message, attributes...))
	if errors.Is(err, unix.EEXIST) { // an earlier meshd was here
		return nil
	}
	return err
}

func request(c *netlink.Conn, kind netlink.HeaderType, flags netlink.HeaderFlags, data []byte) error {
	_, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   data,
	})
	return err
}
