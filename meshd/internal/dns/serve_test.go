package dns

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve starts both servers on the example zone.
func serve(t *testing.T) (udp, tcp string) {
	t.Helper()
	z, err := ParseZone(exampleZone)
	if err != nil {
		t.Fatal(err)
	}
	zone := func() *Zone { return z }
	packets, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	streams, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { ServeUDP(packets, zone) })
	running.Go(func() { ServeTCP(streams, zone) })
	t.Cleanup(func() {
		packets.Close()
		streams.Close()
		running.Wait()
	})
	return packets.LocalAddr().String(), streams.Addr().String()
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// Many clients at once, and between their queries what gets no answer.
func TestUDPAnswersEachClient(t *testing.T) {
	address, _ := serve(t)
	var clients sync.WaitGroup
	for client := range 16 {
		c := dial(t, "udp4", address)
		clients.Go(func() {
			buffer := make([]byte, MaxUDP)
			for i := range 100 {
				query := []byte(header(1) + asks("api.dev.gstacks", typeA))
				binary.BigEndian.PutUint16(query, uint16(client<<8|i))
				c.Write([]byte("x"))
				if _, err := c.Write(query); err != nil {
					t.Error(err)
					return
				}
				n, err := c.Read(buffer)
				if err != nil || string(buffer[:2]) != string(query[:2]) || n != 64 {
					t.Errorf("got %x, %v", buffer[:n], err)
					return
				}
			}
		})
	}
	clients.Wait()
}

func TestUDPCutsLargeAnswersAndRefusesLargeQueries(t *testing.T) {
	address, _ := serve(t)
	c := dial(t, "udp4", address)
	buffer := make([]byte, 4096)
	for query, want := range map[string]byte{
		header(1, 0, 0, 1) + asks("huge.lab.gstacks", typeTXT) + opt(4096, 0, 0, ""):                                                                              bitTruncated,
		header(1, 0, 0, 1) + asks("api.dev.gstacks", typeA) + opt(1232, 0, 0, "\x00\x0c\x03\x00")[:10] + "\x03\x04\x00\x0c\x03\x00" + strings.Repeat("\x00", 768): 0,
	} {
		if _, err := c.Write([]byte(query)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buffer)
		if err != nil || n > 100 || buffer[2]&bitTruncated != want {
			t.Errorf("got %x, %v", buffer[:n], err)
		}
	}
}

func framed(query string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
}

func readFrame(t *testing.T, c net.Conn) []byte {
	t.Helper()
	length := make([]byte, 2)
	if _, err := io.ReadFull(c, length); err != nil {
		t.Fatal(err)
	}
	response := make([]byte, binary.BigEndian.Uint16(length))
	if _, err := io.ReadFull(c, response); err != nil {
		t.Fatal(err)
	}
	return response
}

func TestTCPAnswersSeveralQueriesOnAConnection(t *testing.T) {
	_, address := serve(t)
	c := dial(t, "tcp4", address)
	queries := []string{header(1) + asks("api.dev.gstacks", typeA), header(1) + asks("huge.lab.gstacks", typeTXT), header(0)}
	var all []byte
	for _, q := range queries {
		all = append(all, framed(q)...)
	}
	// In two parts, which fall into a frame.
	for _, part := range [][]byte{all[:40], all[40:]} {
		if _, err := c.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	for i, size := range []int{64, 1670, headerSize} {
		if response := readFrame(t, c); len(response) != size {
			t.Errorf("answer %d: %x", i, response)
		}
	}
}

func TestTCPClosesWhatIsBrokenOrIdle(t *testing.T) {
	usual := idleTimeout
	t.Cleanup(func() { idleTimeout = usual }) // after the server has ended
	idleTimeout = 50 * time.Millisecond
	_, address := serve(t)
	for name, sent := range map[string]string{
		"idle":              "",
		"half a length":     "\x00",
		"half a query":      "\x00\x20abc",
		"a response":        string(framed(queryID + "\x81\x00" + strings.Repeat("\x00", 8))),
		"an oversize query": "\xff\xff",
	} {
		c := dial(t, "tcp4", address)
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open", name)
		}
	}
}

func TestTCPConnectionsAreBounded(t *testing.T) {
	_, address := serve(t)
	query := framed(header(1) + asks("api.dev.gstacks", typeA))
	for range maxConnections {
		c := dial(t, "tcp4", address)
		c.Write(query)
		readFrame(t, c)
	}
	further := dial(t, "tcp4", address)
	further.Write(query)
	if _, err := further.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("one too many got an answer")
	}
}
