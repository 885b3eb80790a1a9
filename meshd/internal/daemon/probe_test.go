package daemon

import (
	"errors"
	"slices"
	"testing"
)

// What exchanges of each size come to, in turn, and what that is called.
func TestFullSizeIsBlamedOnlyBetweenSmallOnes(t *testing.T) {
	lost := errors.New("no answer")
	for name, c := range map[string]struct {
		answers []error
		sizes   []int
		step    string
		want    error
	}{
		"all well":                         {[]error{nil}, []int{fullSize}, "fullSize", nil},
		"large packets are dropped":        {[]error{lost, nil, lost}, []int{fullSize, 1, fullSize}, "fullSize", lost},
		"the host joined anew meanwhile":   {[]error{lost, nil, nil}, []int{fullSize, 1, fullSize}, "fullSize", nil},
		"the host is gone, to any packets": {[]error{lost, lost}, []int{fullSize, 1}, "roundTrip", lost},
	} {
		var sizes []int
		step, err := tryFullSize(func(size int) error {
			sizes = append(sizes, size)
			return c.answers[len(sizes)-1]
		})
		if step != c.step || err != c.want || !slices.Equal(sizes, c.sizes) {
			t.Errorf("%s: %s, %v after exchanges of %v", name, step, err, sizes)
		}
	}
}
