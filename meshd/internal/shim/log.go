package shim

import (
	"os"
	"path/filepath"
	"sync"
)

const maxLogSize = 1 << 20

// A logFile keeps the last one to two MiB of output in output.log and, before
// that, output.log.1. It takes everything, also when the disk is full: a program
// must not stand still because its log cannot be kept.
// The program's output and the shim's own notes come from different goroutines.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int
}

func openLog(dir string) *logFile { return &logFile{path: filepath.Join(dir, "output.log")} }

func (l *logFile) Write(output []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := output; len(rest) > 0; {
		if l.file == nil && !l.open() {
			break
		}
		part := rest[:min(len(rest), maxLogSize-l.size)]
		n, err := l.file.Write(part)
		l.size += n
		if err != nil {
			break
		}
		rest = rest[n:]
		if l.size >= maxLogSize {
			l.file.Close()
			l.file = nil
			os.Rename(l.path, l.path+".1")
		}
	}
	return len(output), nil
}

// open goes on with the log of an earlier run, or starts one.
func (l *logFile) open() bool {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return false
	}
	if info.Size() >= maxLogSize {
		file.Close()
		return os.Rename(l.path, l.path+".1") == nil && l.open()
	}
	l.file, l.size = file, int(info.Size())
	return true
}
