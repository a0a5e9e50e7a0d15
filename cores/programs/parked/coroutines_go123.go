//go:build go1.23

package main

import (
	"iter"

	"spanwalk/programs/leaks/plant"
)

type puller struct {
	next func() (int, bool)
	stop func()
}

var pullers []puller

// coroutines are iterators that somebody pulls from: they wait until the next value is asked for.
func coroutines(p *plant.Program) {
	p.HealthyN(few, func(int) {
		next, stop := iter.Pull(numbers)
		next()
		pullers = append(pullers, puller{next, stop})
	}, plant.Group{Function: "iter.Pull[...].func1", Wait: "coroutine", On: "coroutine"})
}

//go:noinline
func numbers(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}
