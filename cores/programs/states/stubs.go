package main

import (
	"reflect"
	"runtime"
)

type two func(a *item, n int, b *item) (*item, *item)

// many has more arguments and results than registers.
type many func(a, b, c, d, e, f, g, h, i, j, k, l *item) (m, n, o, p, q, r, s, t, u, v, w, x *item)

// stubs has goroutines below the code that reflect puts between a call and
// what it made: arguments are in its frame, and in registers that it has saved.
func stubs(add func(string, int, int, func(int))) {
	add("parkMade", few, 3, parkMade)
	add("parkMadeMany", few, 13, parkMadeMany)
	add("returnedMade", few, 3, returnedMade)
	add("parkMethod", few, 2, parkMethod)
	add("parkMethodMany", few, 13, parkMethodMany)
}

func makeTwo(run func(args []reflect.Value) []reflect.Value) two {
	return reflect.MakeFunc(reflect.TypeOf(two(nil)), run).Interface().(two)
}

//go:noinline
func parkMade(i int) {
	captured := newItem(i)
	made := makeTwo(func(args []reflect.Value) []reflect.Value {
		park()
		return []reflect.Value{reflect.ValueOf(captured), args[0]}
	})
	made(newItem(i), i, newItem(i))
}

//go:noinline
func parkMadeMany(i int) {
	captured := newItem(i)
	made := reflect.MakeFunc(reflect.TypeOf(many(nil)), func(args []reflect.Value) []reflect.Value {
		park()
		args[0] = reflect.ValueOf(captured)
		return args
	}).Interface().(many)
	made(newItem(i), newItem(i), newItem(i), newItem(i), newItem(i), newItem(i),
		newItem(i), newItem(i), newItem(i), newItem(i), newItem(i), newItem(i))
}

// returnedMade waits after the stub has returned: its results are in use.
//
//go:noinline
func returnedMade(i int) {
	captured := newItem(i)
	made := makeTwo(func(args []reflect.Value) []reflect.Value {
		return []reflect.Value{reflect.ValueOf(captured), args[2]}
	})
	third := newItem(i)
	first, second := made(third, i, newItem(i))
	park()
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
	runtime.KeepAlive(third)
}

// Park and the other methods are called through values that reflect made.
func (it *item) Park(other *item) int {
	park()
	return it.id + other.id
}

// ParkMany has more arguments than registers.
func (it *item) ParkMany(a, b, c, d, e, f, g, h, i, j, k, l *item) int {
	park()
	return it.id + a.id + b.id + c.id + d.id + e.id + f.id + g.id + h.id + i.id + j.id + k.id + l.id
}

// Spin never returns.
func (it *item) Spin(other *item) {
	spin(it, other)
}

// Echo gives back what it got.
func (it *item) Echo(n int, other *item) *item {
	it.id += n
	return other
}

//go:noinline
func parkMethod(i int) {
	method := reflect.ValueOf(newItem(i)).MethodByName("Park").Interface().(func(*item) int)
	runtime.KeepAlive(method(newItem(i)))
}

//go:noinline
func parkMethodMany(i int) {
	method := reflect.ValueOf(newItem(i)).MethodByName("ParkMany").
		Interface().(func(a, b, c, d, e, f, g, h, i, j, k, l *item) int)
	runtime.KeepAlive(method(newItem(i), newItem(i), newItem(i), newItem(i), newItem(i), newItem(i),
		newItem(i), newItem(i), newItem(i), newItem(i), newItem(i), newItem(i)))
}

//go:noinline
func spinMade(i int) {
	captured := newItem(i)
	made := makeTwo(func(args []reflect.Value) []reflect.Value {
		spin(captured, args[2].Interface().(*item))
		return nil
	})
	made(newItem(i), i, newItem(i))
}

//go:noinline
func spinMethod(i int) {
	method := reflect.ValueOf(newItem(i)).MethodByName("Spin").Interface().(func(*item))
	method(newItem(i))
}

// spin never gives way: a signal stops it, at any instruction.
//
//go:noinline
func spin(first, second *item) {
	crew.Ready()
	for n := 0; ; n++ {
		first.id += n
		second.id ^= first.id
		if second.id == -n {
			second.next, first.next = first, second
		}
	}
}

// neverStarted makes goroutines right before the image is taken, whose first
// function is such a stub or a closure; most of them have not run yet.
func neverStarted() {
	var made, methods, closures [few]func()
	for i := range made {
		first, second, third := newItem(i), newItem(i), newItem(i)
		made[i] = reflect.MakeFunc(reflect.TypeOf(func() {}), func([]reflect.Value) []reflect.Value {
			<-crew.Done
			first.id++
			return nil
		}).Interface().(func())
		methods[i] = reflect.ValueOf(second).MethodByName("Start").Interface().(func())
		closures[i] = func() {
			<-crew.Done
			third.id++
		}
	}
	program.AtAbort(func() {
		for i := range made {
			go made[i]()
			go methods[i]()
			go closures[i]()
			made[i], methods[i], closures[i] = nil, nil, nil
		}
	})
}

// Start is the first function of a goroutine.
func (it *item) Start() {
	<-crew.Done
	it.id++
}
