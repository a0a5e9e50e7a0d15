package main

import (
	"reflect"
	"runtime"

	"spanwalk/programs/internal/truth"
)

type inner struct {
	items [4]*item
	count int
}

type outer struct {
	first *inner // points to another object of the same stack
	last  *item
}

// stackObjects has objects on its stack whose address is taken: they live as
// long as something points to them. dead is not referred to any more when the
// goroutine blocks, so the collector must not count its item.
//
//go:noinline
func stackObjects(crew *truth.Crew, i int) {
	var in inner
	for j := range in.items {
		in.items[j] = newItem(i)
	}
	out := outer{&in, newItem(i)}
	dead := inner{}
	dead.items[0] = &item{id: i}
	touch(&dead)
	block(crew, &out)
}

//go:noinline
func touch(in *inner) { in.count++ }

//go:noinline
func block(crew *truth.Crew, out *outer) {
	crew.Ready()
	<-crew.Done
	runtime.KeepAlive(out)
}

//go:noinline
func bigFrame(crew *truth.Crew, i int) {
	var pad [64 << 10]byte
	var held [100]*item
	for j := range held {
		held[j] = newItem(i)
	}
	pad[i] = 1
	crew.Ready()
	<-crew.Done
	sum := 0
	for j := range held {
		sum += held[j].id + int(pad[j])
	}
	runtime.KeepAlive(sum)
}

type padded struct {
	p *item
	x [3]int
}

// hugeObject has a stack object whose pointer mask is a program. Later
// compilers move a variable of this size to the heap, where its mask is made on
// demand (1.24).
//
//go:noinline
func hugeObject(crew *truth.Crew, i int) {
	var huge [6000]padded
	huge[0].p, huge[3000].p, huge[5999].p = newItem(i), newItem(i), newItem(i)
	blockHuge(crew, &huge)
}

//go:noinline
func blockHuge(crew *truth.Crew, huge *[6000]padded) {
	crew.Ready()
	<-crew.Done
	runtime.KeepAlive(huge)
}

func callManyArguments(crew *truth.Crew, i int) {
	var a [12]*item
	for j := range a {
		a[j] = newItem(i)
	}
	manyArguments(crew, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11])
}

// manyArguments has more arguments than registers: some come on the stack.
//
//go:noinline
func manyArguments(crew *truth.Crew, a, b, c, d, e, f, g, h, i, j, k, l *item) int {
	crew.Ready()
	<-crew.Done
	return a.id + b.id + c.id + d.id + e.id + f.id + g.id + h.id + i.id + j.id + k.id + l.id
}

// grown blocks after its stack was copied to a larger one and shrunk again.
//
//go:noinline
func grown(crew *truth.Crew, i int) {
	it := newItem(i)
	holder := outer{last: newItem(i)}
	if deep(&holder, 400) < 0 {
		return
	}
	runtime.GC()
	block(crew, &holder)
	runtime.KeepAlive(it)
}

//go:noinline
func deep(o *outer, n int) int {
	var pad [32]int
	if n == 0 {
		return o.last.id
	}
	pad[n%32] = deep(o, n-1)
	return pad[n%32]
}

// madeFunction blocks under the stub of a function that reflect made; its
// arguments and result are in the stub's frame.
//
//go:noinline
func madeFunction(crew *truth.Crew, i int) {
	type call func(a *item, n int, b *item) *item
	captured := newItem(i)
	made := reflect.MakeFunc(reflect.TypeOf(call(nil)), func(args []reflect.Value) []reflect.Value {
		crew.Ready()
		<-crew.Done
		return []reflect.Value{reflect.ValueOf(captured)}
	}).Interface().(call)
	runtime.KeepAlive(made(newItem(i), i, newItem(i)))
}

// reflectedMethod blocks under the stub of a method value that reflect made.
//
//go:noinline
func reflectedMethod(crew *truth.Crew, i int) {
	method := reflect.ValueOf(newItem(i)).Method(0).Interface().(func(*truth.Crew, *item) int)
	runtime.KeepAlive(method(crew, newItem(i)))
}
