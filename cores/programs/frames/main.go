// Command frames has goroutines with arguments and variables of every kind,
// whose values the tests know; calls that are inlined, deferred calls of each
// form, panics under way, and one goroutine that never rests.
package main

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

type point struct{ x, y int }

type item struct {
	id   int
	name string
	next *item
}

type state uint8

type shape interface{ area() float64 }

type square struct{ side float64 }

func (s square) area() float64 { return s.side * s.side }

func (i *item) area() float64 { return float64(i.id) }

type failure struct {
	code int
	what string
}

func (f *failure) Error() string { return f.what }

var (
	crew    = truth.NewCrew()
	program *truth.Program
	sink    interface{}
	null    *item
)

func main() {
	runtime.GOMAXPROCS(2)
	program = truth.Start("frames")
	first := &item{id: 7, name: "seven", next: &item{id: 8, name: "eight"}}
	program.Planted(unsafe.Pointer(first))
	long := strings.Repeat("0123456789", 20)
	goroutines := []func(){
		func() { numbers(-42, 200, 2.5, true, complex(1, -2), 0.1, state(3)) },
		func() { texts("hello", []byte("raw bytes"), []int{1, 2, 3}[:2], nil, long) },
		func() {
			references(first, map[string]int{"a": 1, "b": 2}, make(chan int, 4), double,
				state(9), square{1.5}, nil)
		},
		func() { interfaces(first, nil, "text", nil, first) },
		func() { locals(5) },
		func() { escaped(11) },
		func() { outer(10) },
		func() { openCoded(1, true) },
		func() { looping(3) },
		func() { ranging(2) },
		func() { panicking(&failure{17, "it broke"}) },
		func() { panicAgain("first") },
		func() { exiting() },
		func() { faulting() },
		func() { generic(21, []int{4, 5}) },
		func() { generic(first, []*item{first}) },
		func() { locked(first) },
	}
	crew.Go(len(goroutines), func(i int) { goroutines[i]() })
	crew.Wait()
	go spin(first, 12345)
	program.Int("goroutines_of_interest", int64(len(goroutines)+1))
	program.SetLive()
	program.Hold()
	os.Exit(0) // some goroutines never end
}

//go:noinline
func park() {
	crew.Ready()
	<-crew.Done
}

//go:noinline
func use(...interface{}) {}

//go:noinline
func numbers(a int, b uint8, c float64, d bool, e complex128, f float32, g state) {
	park()
	use(a, b, c, d, e, f, g)
}

//go:noinline
func texts(s string, raw []byte, list []int, none []string, long string) {
	park()
	use(s, raw, list, none, long)
}

func double(n int) int { return 2 * n }

//go:noinline
func references(p *item, m map[string]int, c chan int, f func(int) int, any interface{}, sh shape,
	empty *item) {
	c <- 1
	park()
	use(p, m, c, f, any, sh, empty)
}

//go:noinline
func interfaces(pointer, nothing, text interface{}, err error, sh shape) {
	park()
	use(pointer, nothing, text, err, sh)
}

//go:noinline
func locals(n int) {
	where := point{n, n * n}
	list := [3]int{n, n + 1, n + 2}
	words := []string{"one", "two"}
	count := n * 100
	both := struct {
		p point
		s string
	}{point{1, 2}, "both"}
	park()
	use(where, list, words, count, both)
	later := n * 3
	use(later)
}

//go:noinline
func escaped(n int) {
	moved := item{id: n, name: "moved"}
	sink = &moved
	number := n + 1
	pointer := &number
	defer func() { *pointer++ }()
	park()
	use(moved.id, number)
}

// outer calls middle and inner, which are inlined into it.
//
//go:noinline
func outer(n int) {
	middle(n * 2)
	use(n)
}

func middle(m int) {
	inner(m+1, "in")
	runtime.KeepAlive(m)
}

func inner(i int, s string) {
	park()
	use(i, s)
}

//go:noinline
func clean(n int) { use(n) }

// openCoded has two or three deferred calls that the frame itself remembers.
//
//go:noinline
func openCoded(n int, third bool) {
	defer clean(n)
	defer func() { use(n, "second") }()
	if third {
		defer clean(n + 2)
	}
	if !third {
		defer clean(n + 3)
	}
	park()
}

// looping has a record for each deferred call.
//
//go:noinline
func looping(n int) {
	for i := 0; i < n; i++ {
		defer clean(i)
	}
	park()
}

// panicking waits in a deferred call, with a panic on its way.
//
//go:noinline
func panicking(f *failure) {
	defer clean(f.code)
	defer func() { park() }()
	panic(f)
}

// panicAgain panics in a deferred call that runs because of a panic.
//
//go:noinline
func panicAgain(text string) {
	defer func() {
		defer func() { park() }()
		panic(errors.New("second"))
	}()
	panic(text)
}

//go:noinline
func exiting() {
	defer park()
	runtime.Goexit()
}

//go:noinline
func faulting() {
	defer clean(5)
	defer func() { park() }()
	null.id++
}

//go:noinline
func generic[T any](value T, list []T) {
	park()
	use(value, list)
}

//go:noinline
func locked(p *item) {
	runtime.LockOSThread()
	park()
	use(p)
}

// spin never rests: its variables are in registers.
//
//go:noinline
func spin(p *item, factor int) {
	for n := 0; ; n++ {
		p.next.id = n * factor
		if p.next.id == -n-1 {
			use(p, factor, n)
		}
	}
}
