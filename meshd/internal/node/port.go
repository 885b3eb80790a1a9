package node

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fixedPort is the UDP port that a node keeps over restarts: peers find a restarted
// node where it was, instead of losing 5 s on the old port. One that was not asked
// for is chosen once and remembered.
func fixedPort(dir string, asked uint16) (uint16, error) {
	if asked != 0 {
		return asked, nil
	}
	file := filepath.Join(dir, "udp-port")
	if text, err := os.ReadFile(file); err == nil {
		if port, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16); err == nil && port != 0 {
			return uint16(port), nil
		}
	}
	c, err := net.ListenUDP("udp", nil)
	if err != nil {
		return 0, fmt.Errorf("choose a UDP port: %w", err)
	}
	port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
	c.Close()
	if err := os.WriteFile(file+".new", []byte(strconv.Itoa(int(port))+"\n"), 0o600); err != nil {
		return 0, err
	}
	return port, os.Rename(file+".new", file)
}
