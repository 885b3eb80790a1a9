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
		want    error
	}{
		"all well":                         {[]error{nil}, []int{fullSize}, nil},
		"large packets are dropped":        {[]error{lost, nil, lost}, []int{fullSize, 1, fullSize}, lost},
		"the host joined anew meanwhile":   {[]error{lost, nil, nil}, []int{fullSize, 1, fullSize}, nil},
		"the host is gone, to any packets": {[]error{lost, lost}, []int{fullSize, 1}, errNoAnswer},
	} {
		var sizes []int
		err := carriesFullSize(func(size int) error {
			sizes = append(sizes, size)
			return c.answers[len(sizes)-1]
		})
		if !errors.Is(err, c.want) || errors.Is(err, errNoAnswer) != (c.want == errNoAnswer) || !slices.Equal(sizes, c.sizes) {
			t.Errorf("%s: %v after exchanges of %v", name, err, sizes)
		}
	}
}
