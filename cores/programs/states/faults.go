package main

import (
	"runtime"
	"runtime/debug"
	"unsafe"
)

var (
	null     *item
	nowhereP unsafe.Pointer
	zero     int
)

// faults has goroutines that wait in a deferred call while a fault is being
// handled: the frame that faulted goes on at its deferred calls or nowhere.
func faults(add func(string, int, int, func(int))) {
	add("nilField", few, 2, nilField)
	add("deadFrame", few, 1, deadFrame)
	add("inAssembly", few, 2, inAssembly)
	add("nilFunction", few, 2, nilFunction)
	add("wildFunction", few, 2, wildFunction)
	add("twice", few, 3, twice)
	add("divide", few, 1, divide)
	add("recovered", few, 2, recovered)
}

//go:noinline
func nilField(i int) {
	before, after := newItem(i), newItem(i)
	defer runtime.KeepAlive(after)
	defer func() {
		park()
		runtime.KeepAlive(before)
		recover()
	}()
	null.next = after
}

// deadFrame has a callee whose frame is dead once it has faulted.
//
//go:noinline
func deadFrame(i int) {
	held := newItem(i)
	defer func() {
		park()
		runtime.KeepAlive(held)
		recover()
	}()
	faultWith(&item{id: i})
}

//go:noinline
func faultWith(dead *item) int {
	n := null.id
	return n + dead.id
}

// inAssembly faults in memmove.
//
//go:noinline
func inAssembly(i int) {
	held, other := newItem(i), newItem(i)
	var from [64]byte
	defer runtime.KeepAlive(other)
	defer func() {
		park()
		runtime.KeepAlive(held)
		recover()
	}()
	copy(unsafe.Slice((*byte)(nowhereP), 64)[:i+20], from[:])
}

// nilFunction calls the address 0.
//
//go:noinline
func nilFunction(i int) {
	callAt(i, 0)
}

// wildFunction calls an address where nothing is mapped.
//
//go:noinline
func wildFunction(i int) {
	debug.SetPanicOnFault(true)
	callAt(i, 1<<40)
}

//go:noinline
func callAt(i int, address uintptr) {
	held, other := newItem(i), newItem(i)
	word := &address
	function := *(*func(*item) int)(unsafe.Pointer(&word))
	defer runtime.KeepAlive(other)
	defer func() {
		park()
		runtime.KeepAlive(held)
		recover()
	}()
	held.id += function(other)
}

// twice faults, and faults again in the deferred call.
//
//go:noinline
func twice(i int) {
	first := newItem(i)
	defer runtime.KeepAlive(first)
	defer func() {
		second := newItem(i)
		defer runtime.KeepAlive(second)
		defer func() {
			third := newItem(i)
			park()
			runtime.KeepAlive(third)
			recover()
		}()
		second.id /= zero
	}()
	null.next = first
}

//go:noinline
func divide(i int) {
	held := newItem(i)
	defer func() {
		park()
		runtime.KeepAlive(held)
		recover()
	}()
	held.id /= zero
}

// recovered goes on after a fault.
//
//go:noinline
func recovered(i int) {
	held := newItem(i)
	result := attempt(held, newItem(i))
	park()
	runtime.KeepAlive(held)
	runtime.KeepAlive(result)
}

//go:noinline
func attempt(it, other *item) (result *item) {
	defer func() {
		recover()
		result = other
	}()
	it.id /= zero
	return it
}
