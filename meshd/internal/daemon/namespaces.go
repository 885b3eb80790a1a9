package daemon

import "gstacks/meshd/internal/netns"

// canUseNamespaces tells whether this process may make and enter network
// namespaces, which serving sandboxes needs.
func canUseNamespaces() bool {
	ns, err := netns.New()
	if err != nil {
		return false
	}
	defer ns.Close()
	return netns.Within(ns, func() error { return nil }) == nil
}
