package main

import (
	"runtime"
	"syscall"

	"spanwalk/programs/internal/truth"
)

// nilPointer faults and blocks in a deferred call, above sigpanic's frame.
//
//go:noinline
func nilPointer(crew *truth.Crew, i int) {
	before := newItem(i)
	after := newItem(i)
	defer func() {
		crew.Ready()
		<-crew.Done
		runtime.KeepAlive(before)
		recover()
	}()
	defer runtime.KeepAlive(after)
	null.next = after
}

// nilPointerDeep faults in a function that has no deferred call: its frame is
// dead when the deferred call of its caller's caller blocks.
//
//go:noinline
func nilPointerDeep(crew *truth.Crew, i int) {
	held := newItem(i)
	other := newItem(i)
	third := newItem(i)
	defer func() {
		crew.Ready()
		<-crew.Done
		runtime.KeepAlive(held)
		runtime.KeepAlive(other)
		runtime.KeepAlive(third)
		recover()
	}()
	fault(&item{id: i})
}

//go:noinline
func fault(dead *item) int {
	n := null.id // panics here; dead is not in use any more
	return n + dead.id
}

//go:noinline
func divideByZero(crew *truth.Crew, i int) {
	held := newItem(i)
	defer func() {
		crew.Ready()
		<-crew.Done
		runtime.KeepAlive(held)
		recover()
	}()
	runtime.KeepAlive(i / zero)
}

var zero int

// inSyscall waits in read(2) on a pipe that nobody writes to.
//
//go:noinline
func inSyscall(crew *truth.Crew, i int) {
	it := newItem(i)
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	var buffer [8]byte
	crew.Ready()
	_, _ = syscall.Read(pipe[0], buffer[:])
	it.id = int(buffer[0])
}

//go:noinline
func locked(crew *truth.Crew, i int) {
	runtime.LockOSThread()
	it := newItem(i)
	crew.Ready()
	<-crew.Done
	it.id++
}

// spin never gives way: the collector stops it by a signal, at any
// instruction, and scans its frame and registers conservatively.
//
//go:noinline
func spin(crew *truth.Crew, i int) {
	first, second := newItem(i), newItem(i)
	crew.Ready()
	for n := 0; ; n++ {
		first.id += n
		second.id ^= first.id
		if second.id == -n {
			second.next, first.next = first, second
		}
	}
}
