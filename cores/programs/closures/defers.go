package main

import (
	"errors"
	"runtime"

	"spanwalk/programs/internal/truth"
)

const few = 10

// deferred parks goroutines that have calls deferred: in records on the heap
// (a loop), on the stack, and open coded.
func deferred(p *truth.Program, crew *truth.Crew) {
	for _, kind := range []struct {
		name  string
		count int64
		run   func(*truth.Crew)
	}{
		{"looped", few * 5, looped},
		{"openCoded", few * 2, openCoded},
		{"onStack", few * 9, onStack},
		{"methodValues", few * 2, methodValues},
	} {
		kind := kind // a variable of the loop until Go 1.21
		p.Add(truth.Root{Name: "goroutine main." + kind.name, Type: "*main.item", Kind: "stack", Count: kind.count,
			Make: func() {
				crew.Go(few, func(int) { kind.run(crew) })
				crew.Wait()
			}})
	}
}

//go:noinline
func looped(crew *truth.Crew) {
	for i := 0; i < 5; i++ {
		it := newItem(i)
		defer func() { it.Work() }()
	}
	crew.Ready()
	<-crew.Done
}

//go:noinline
func openCoded(crew *truth.Crew) {
	first := newItem(1)
	defer func() { first.Work() }()
	if second := newItem(2); crew != nil {
		defer second.With(2)
	}
	crew.Ready()
	<-crew.Done
}

// onStack has more than eight deferred calls, too many for open coding.
//
//go:noinline
func onStack(crew *truth.Crew) {
	it := newItem(1)
	defer it.With(1)
	defer newItem(2).With(2)
	defer newItem(3).With(3)
	defer newItem(4).With(4)
	defer newItem(5).With(5)
	defer newItem(6).With(6)
	defer newItem(7).With(7)
	defer newItem(8).With(8)
	defer newItem(9).With(9)
	crew.Ready()
	<-crew.Done
}

//go:noinline
func methodValues(crew *truth.Crew) {
	for i := 0; i < 2; i++ {
		it := newItem(i)
		f := it.Work
		defer f()
	}
	crew.Ready()
	<-crew.Done
}

// panicking parks goroutines during and after panics.
func panicking(p *truth.Program, crew *truth.Crew) {
	for _, kind := range []struct {
		name  string
		count int64
		run   func(*truth.Crew)
	}{
		{"recovered", few * 2, recovered},
		{"midPanic", few * 3, midPanic},
		{"secondPanic", few * 2, secondPanic},
		{"goexiting", few * 1, goexiting},
	} {
		kind := kind // a variable of the loop until Go 1.21
		p.Add(truth.Root{Name: "goroutine main." + kind.name, Type: "*main.item", Kind: "stack", Count: kind.count,
			Make: func() {
				crew.Go(few, func(int) { kind.run(crew) })
				crew.Wait()
			}})
	}
}

type problem struct {
	error
	about *item
}

//go:noinline
func recovered(crew *truth.Crew) {
	it := newItem(1)
	err := attempt()
	crew.Ready()
	<-crew.Done
	it.Work()
	runtime.KeepAlive(err)
}

func attempt() (err error) {
	defer func() { err = recover().(error) }()
	panic(problem{errors.New("recovered"), newItem(2)})
}

// midPanic waits in a deferred call while the panic is on its way up: the
// panic's value, the frame that panicked and the frames to come are all held.
//
//go:noinline
func midPanic(crew *truth.Crew) {
	outer := newItem(1)
	defer func() {
		recover()
		outer.Work()
	}()
	func() {
		inner := newItem(2)
		defer func() {
			crew.Ready()
			<-crew.Done
			inner.Work()
		}()
		panic(problem{errors.New("under way"), newItem(3)})
	}()
}

// secondPanic panics in a deferred call of a panic, then waits.
//
//go:noinline
func secondPanic(crew *truth.Crew) {
	defer func() { recover() }()
	defer func() {
		crew.Ready()
		<-crew.Done
	}()
	defer func() { panic(problem{errors.New("second"), newItem(2)}) }()
	panic(problem{errors.New("first"), newItem(1)})
}

// goexiting waits in a deferred call that runtime.Goexit runs.
//
//go:noinline
func goexiting(crew *truth.Crew) {
	it := newItem(1)
	defer func() {
		crew.Ready()
		<-crew.Done
		it.Work()
	}()
	runtime.Goexit()
}
