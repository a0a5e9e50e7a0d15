//go:build go1.23

package main

import (
	"iter"
	"runtime"
)

// coroutines has goroutines in the iterators of others.
func coroutines(add func(string, int, int, func(int))) {
	program.Bool("coroutines", true)
	add("pulledOnce", few, 3, pulledOnce)
	add("parkInPull", few, 2, parkInPull)
	add("pullInPull", few, 4, pullInPull)
	if !*busy {
		add("spinInPull", 1, 2, spinInPull)
	}
	operations = append(operations, throughPull)
}

func ofItems(i int, first *item) iter.Seq[*item] {
	return func(yield func(*item) bool) {
		local := newItem(i)
		if yield(first) {
			yield(local)
		}
		runtime.KeepAlive(local)
	}
}

// pulledOnce waits while its iterator has yielded once.
//
//go:noinline
func pulledOnce(i int) {
	held := newItem(i)
	next, stop := iter.Pull(ofItems(i, newItem(i)))
	defer stop()
	it, _ := next()
	park()
	runtime.KeepAlive(held)
	runtime.KeepAlive(it)
}

// parkInPull waits inside its iterator, which runs on another goroutine.
//
//go:noinline
func parkInPull(i int) {
	held := newItem(i)
	next, stop := iter.Pull(func(yield func(*item) bool) {
		inside := newItem(i)
		park()
		yield(inside)
	})
	defer stop()
	next()
	runtime.KeepAlive(held)
}

//go:noinline
func spinInPull(i int) {
	next, stop := iter.Pull(func(yield func(*item) bool) { spin(newItem(i), newItem(i)) })
	defer stop()
	next()
}

// pullInPull has an iterator that pulls from another one.
//
//go:noinline
func pullInPull(i int) {
	held := newItem(i)
	inner := ofItems(i, newItem(i))
	next, stop := iter.Pull(func(yield func(*item) bool) {
		next, stop := iter.Pull(inner)
		defer stop()
		outside := newItem(i)
		for it, ok := next(); ok && yield(it); it, ok = next() {
		}
		runtime.KeepAlive(outside)
	})
	defer stop()
	next()
	park()
	runtime.KeepAlive(held)
}

// throughPull hands the item to a coroutine and takes it back.
//
//go:noinline
func throughPull(it *item) *item {
	next, stop := iter.Pull(handOut(it))
	back, _ := next()
	stop()
	return back
}

func handOut(it *item) iter.Seq[*item] {
	return func(yield func(*item) bool) { yield(it) }
}
