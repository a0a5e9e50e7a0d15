//go:build go1.23

package main

func upTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// ranging defers in a loop over a function: the calls are in a list of their own.
//
//go:noinline
func ranging(n int) {
	defer clean(100)
	for i := range upTo(n) {
		defer clean(i)
	}
	park()
}
