package engine

import "gstacks/meshd/internal/sandbox"

// SandboxRefused tells what the kernel refused a sandbox since the call before.
type SandboxRefused struct {
	Sandbox string
	Refused []sandbox.Refused
}

// Refused asks every sandbox; one that cannot be asked is told in errs and holds up none.
func (e *Engine) Refused() (out []SandboxRefused, errs []error) {
	e.state.mu.RLock()
	handles := make(map[string]Handle, len(e.state.sandboxes))
	for id, b := range e.state.sandboxes {
		if b.handle != nil {
			handles[id] = b.handle
		}
	}
	e.state.mu.RUnlock()
	for id, h := range handles {
		refused, err := h.Refused()
		if err != nil {
			errs = append(errs, err)
		}
		if len(refused) > 0 {
			out = append(out, SandboxRefused{id, refused})
		}
	}
	return out, errs
}
