package main

import (
	"encoding/json"
	"os"
	"time"
)

const (
	// Between two tries of watch; the resolution of what it reports.
	watchInterval = 500 * time.Microsecond
	// A try that takes longer is news, too: something made it wait.
	slow = 50 * time.Millisecond
)

// watch connects again and again and prints a line when the answer changes
// between yes (a byte came back) and no, and for each slow try; the first line
// says what it is at the start. Times are milliseconds since the epoch, at the
// beginning of the try; add the time it took for its end.
func watch(o options) error {
	to, err := sockaddr(o.addr)
	if err != nil {
		return err
	}
	type line struct {
		Answers bool    `json:"answers"`
		At      float64 `json:"at"`
		Took    float64 `json:"tookMillis"`
		Error   string  `json:"error,omitempty"`
	}
	out := json.NewEncoder(os.Stdout)
	end := time.Now().Add(o.duration)
	for first, last := true, false; time.Now().Before(end); time.Sleep(watchInterval) {
		t := time.Now()
		err := oneByte(to)
		took := time.Since(t)
		if answers := err == nil; first || answers != last || took > slow {
			l := line{Answers: answers, At: millis(t.UnixNano()), Took: millis(took.Nanoseconds())}
			if err != nil {
				l.Error = err.Error()
			}
			if err := out.Encode(l); err != nil {
				return err
			}
			first, last = false, answers
		}
	}
	return nil
}

func millis(nanos int64) float64 { return float64(nanos/1e3) / 1e3 }
