//go:build go1.23

package main

import (
	"iter"
	"runtime"

	"spanwalk/programs/internal/truth"
)

type puller struct {
	next func() (*item, bool)
	stop func()
}

var pulled []puller

// coroutines leaves iterators half way: each has yielded once and waits, with
// one item in its frame and the yielded one kept beside it.
func coroutines(p *truth.Program) {
	p.Add(truth.Root{Name: "main.pulled", Type: "[]main.puller", Count: 3 * few,
		Make: func() {
			for i := range few {
				next, stop := iter.Pull(sequence(i))
				first, _ := next()
				_ = first
				pulled = append(pulled, puller{next, stop})
			}
			for i := range few { // never started
				next, stop := iter.Pull(sequence(i))
				pulled = append(pulled, puller{next, stop})
			}
		},
		Drop: func() {
			for _, c := range pulled {
				c.stop()
			}
			pulled = nil
		}})
	p.Bool("coroutines", true)
}

func sequence(i int) iter.Seq[*item] {
	captured := newItem(i)
	return func(yield func(*item) bool) {
		local := newItem(i)
		if yield(captured) {
			yield(local)
		}
		runtime.KeepAlive(local)
	}
}
