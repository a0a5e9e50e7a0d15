package main

import (
	"os"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// An operation gives back what it is given. In between nothing else has it.
var operations = []func(*item) *item{
	descend, growing, throughStack, throughChannel, throughMade, throughMethod, throughMap,
	throughInterface, throughClosure, throughPanic, throughFault, throughSelect, throughSlices,
	throughAtomic, throughTimer, throughDefers, askTime, callSystem, readZeros, giveWay, locked,
	contend, callers, allocate, allocateLarge, compute, moveBytes,
}

// carry never stops handing on its item.
//
//go:noinline
func carry(it *item, random uint32) {
	for {
		random = random*1664525 + 1013904223
		it = operations[int(random>>8)%len(operations)](it)
	}
}

//go:noinline
func descend(it *item) *item { return down(it, 20) }

// down has the item in no frame but its own.
//
//go:noinline
func down(it *item, n int) *item {
	if n == 0 {
		return it
	}
	return down2(n-1, it)
}

//go:noinline
func down2(n int, it *item) *item {
	back := down(it, n)
	back.id++
	return back
}

// growing needs a larger stack than a goroutine starts with.
//
//go:noinline
func growing(it *item) *item {
	back := make(chan *item)
	go sendDeep(it, back)
	return <-back
}

//go:noinline
func sendDeep(it *item, back chan *item) {
	top := holder{it: it}
	back <- deep(&top, 150)
}

type holder struct {
	pad [3]int
	it  *item
}

// deep passes the address of a variable of its caller on, which moves with the
// stack.
//
//go:noinline
func deep(from *holder, n int) *item {
	to := holder{it: from.it}
	from.it = nil
	if n == 0 {
		return to.it
	}
	return deep(&to, n-1)
}

//go:noinline
func throughStack(it *item) *item {
	var first, second holder
	first.it = it
	hand(&first, &second)
	return second.it
}

//go:noinline
func hand(from, to *holder) {
	to.it = from.it
	from.it = nil
}

//go:noinline
func throughChannel(it *item) *item {
	there, back := make(chan *item), make(chan *item, 1)
	go func() { back <- <-there }()
	there <- it
	return <-back
}

//go:noinline
func throughMade(it *item) *item {
	first, _ := echo(it, 1, it)
	return first
}

var echo = makeTwo(func(args []reflect.Value) []reflect.Value {
	return []reflect.Value{args[2], args[0]}
})

//go:noinline
func throughMethod(it *item) *item {
	method := reflect.ValueOf(&item{}).MethodByName("Echo").Interface().(func(int, *item) *item)
	return method(1, it)
}

//go:noinline
func throughMap(it *item) *item {
	m := make(map[int]*item)
	m[it.id] = it
	for i := 0; i < 100; i++ {
		m[-i-1] = nil
	}
	for _, found := range m {
		if found != nil {
			return found
		}
	}
	panic("the map lost its item")
}

type any2 interface{}

//go:noinline
func throughInterface(it *item) *item { return unwrap(any2(it)) }

//go:noinline
func unwrap(value any2) *item { return value.(*item) }

//go:noinline
func throughClosure(it *item) *item {
	f := func() *item { return it }
	return call(f)
}

//go:noinline
func call(f func() *item) *item { return f() }

//go:noinline
func throughPanic(it *item) (back *item) {
	defer func() { back = recover().(*item) }()
	throw(it)
	return nil
}

//go:noinline
func throw(it *item) { panic(it) }

//go:noinline
func throughFault(it *item) (back *item) {
	defer func() {
		recover()
		back = it
	}()
	null.next = nil
	return nil
}

//go:noinline
func throughSelect(it *item) *item {
	a, b := make(chan *item), make(chan *item)
	never := make(chan int)
	go func() {
		select {
		case got := <-a:
			b <- got
		case <-never:
		}
	}()
	select {
	case a <- it:
	case <-never:
	}
	select {
	case back := <-b:
		return back
	case <-never:
		return nil
	}
}

//go:noinline
func throughSlices(it *item) *item {
	slice := make([]*item, 1500)
	slice[1499] = it
	for i := 0; i < 3; i++ {
		slice = append([]*item(nil), slice...)
	}
	return slice[1499]
}

//go:noinline
func throughAtomic(it *item) *item {
	var place unsafe.Pointer
	box := &place
	atomic.StorePointer(box, unsafe.Pointer(it))
	publish(box)
	return (*item)(atomic.SwapPointer(box, nil))
}

//go:noinline
func publish(*unsafe.Pointer) {}

//go:noinline
func throughTimer(it *item) *item {
	back := make(chan *item, 1)
	time.AfterFunc(time.Microsecond, func() { back <- it })
	return <-back
}

//go:noinline
func throughDefers(it *item) (back *item) {
	for i := 0; i < 20; i++ {
		defer func(it *item) { back = it }(it)
	}
	return nil
}

//go:noinline
func askTime(it *item) *item {
	for i := 0; i < 200; i++ {
		it.id += time.Now().Nanosecond()
	}
	return it
}

//go:noinline
func callSystem(it *item) *item {
	for i := 0; i < 20; i++ {
		it.id += os.Getpid() + syscall.Getppid()
	}
	return it
}

//go:noinline
func readZeros(it *item) *item {
	var buffer [64]byte
	n, _ := syscall.Read(zeros, buffer[:])
	it.id += n
	return it
}

var zeros, _ = syscall.Open("/dev/zero", syscall.O_RDONLY, 0)

//go:noinline
func giveWay(it *item) *item {
	for i := 0; i < 20; i++ {
		runtime.Gosched()
	}
	return it
}

//go:noinline
func locked(it *item) *item {
	runtime.LockOSThread()
	runtime.Gosched()
	runtime.UnlockOSThread()
	return it
}

var (
	contended sync.Mutex
	cond      = sync.NewCond(&contended)
)

//go:noinline
func contend(it *item) *item {
	for i := 0; i < 10; i++ {
		contended.Lock()
		it.id++
		cond.Signal()
		contended.Unlock()
	}
	return it
}

//go:noinline
func callers(it *item) *item {
	var pcs [32]uintptr
	it.id += runtime.Callers(0, pcs[:])
	var text [512]byte
	it.id += runtime.Stack(text[:], false)
	return it
}

var sink [64]atomic.Value

// allocate leaves garbage of every size.
//
//go:noinline
func allocate(it *item) *item {
	for n := 8; n < 40000; n += n/4 + 8 {
		bytes := make([]byte, n)
		pointers := make([]*item, n/8)
		bytes[0] = 1
		sink[n%64].Store(&item{id: n, name: string(bytes[:4]), next: pointers[0]})
	}
	return it
}

//go:noinline
func allocateLarge(it *item) *item {
	large := make([]*item, 30000)
	large[len(large)-1] = it
	return large[29999]
}

//go:noinline
func compute(it *item) *item {
	x := 1.0
	for i := 0; i < 20000; i++ {
		x += x / float64(i+1)
		it.id += i
	}
	it.id += int(x)
	return it
}

//go:noinline
func moveBytes(it *item) *item {
	a, b := make([]byte, 200000), make([]byte, 200000)
	for i := 0; i < 5; i++ {
		copy(a, b)
		it.id += int(a[i])
	}
	return it
}
