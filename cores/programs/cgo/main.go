// Command cgo holds memory across calls between Go and C: by goroutines that
// wait in C, below callbacks from C, on threads that Go did not start, and by
// what Go keeps for C.
package main

/*
#cgo CFLAGS: -O1 -g
#cgo LDFLAGS: -lpthread
#include "calls.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync"
	"time"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

const (
	each = 100
	few  = 4
	deep = 5
)

type item struct {
	id   int
	name string
	next *item
}

var (
	program  *truth.Program
	items    int
	counting sync.Mutex
	crew     = truth.NewCrew()
	handles  []cgo.Handle
)

func newItem(i int) *item {
	counting.Lock()
	defer counting.Unlock()
	items++
	it := &item{id: i, name: strings.Clone(fmt.Sprintf("item number %012d", i))}
	program.Planted(unsafe.Pointer(it))
	return it
}

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("cgo")
	program = p
	add := func(name string, goroutines, each int, run func(i int)) {
		p.Add(truth.Root{Name: "goroutine main." + name, Type: "*main.item", Kind: "stack",
			Count: int64(goroutines * each),
			Make: func() {
				crew.Go(goroutines, run)
				crew.Wait()
			}})
	}
	add("waitInC", few, 2, waitInC)
	add("waitLocked", few, 2, waitLocked)
	add("waitInHandler", 2, 2, waitInHandler)
	add("goDescend", few, 2*(deep+1), descend)
	add("parkBelowC", few, 2, parkBelowC)
	add("goForeign", few, 2, foreign(foreignParks))
	add("goForeign of threads in C", few, 2*(deep+1), foreign(foreignDescends))
	add("goForeign of threads in a loop", 1, 2, foreign(foreignSpins))
	add("goForeign of threads that faulted", few, 2, foreign(foreignFaults))
	add("goForeign of threads that returned", few, 0, foreign(foreignReturns))
	for C.threads_returned() < few {
		time.Sleep(time.Millisecond)
	}
	handled(p)
	pinned(p)
	forgotten(p)
	p.Int("foreign_threads", 4*few+1)
	p.Type("main.item", items)
	p.Hold()
	os.Exit(0) // C never returns
}

// waitInC waits in C: the goroutine is in a system call, as far as Go knows.
//
//go:noinline
func waitInC(i int) {
	first := newItem(i)
	second := &first.next
	*second = newItem(i)
	crew.Ready()
	C.wait_in_c()
	runtime.KeepAlive(second)
}

//go:noinline
func waitLocked(i int) {
	runtime.LockOSThread()
	waitInC(i)
}

//go:noinline
func waitInHandler(i int) {
	runtime.LockOSThread()
	first, second := newItem(i), newItem(i)
	crew.Ready()
	C.wait_in_handler()
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
}

// descend goes down through Go and C in turn and waits in C at the end, with
// two items in every frame of Go.
//
//go:noinline
func descend(i int) {
	first, second := newItem(i), newItem(i)
	C.descend(deep)
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
}

//export goDescend
func goDescend(depth C.int) {
	first, second := newItem(int(depth)), newItem(int(depth))
	if depth == 0 {
		crew.Ready()
	}
	C.descend(depth)
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
}

// parkBelowC waits in Go for a channel, with frames of C between.
//
//go:noinline
func parkBelowC(i int) {
	it := newItem(i)
	goForeignCall(foreignParksOnce, i)
	runtime.KeepAlive(it)
}

// What a thread that Go did not start does in Go.
const (
	foreignParks = iota
	foreignParksOnce
	foreignDescends
	foreignSpins
	foreignFaults
	foreignReturns
)

func foreign(what int) func(i int) {
	return func(i int) { C.start_thread(C.int(what), C.int(i)) }
}

func goForeignCall(what, i int) { C.call_foreign(C.int(what), C.int(i)) }

var null *item

//export goForeign
func goForeign(what, number C.int) {
	i := int(number)
	switch what {
	case foreignParks:
		first, second := newItem(i), newItem(i)
		park()
		runtime.KeepAlive(first)
		runtime.KeepAlive(second)
	case foreignParksOnce:
		it := newItem(i)
		park()
		runtime.KeepAlive(it)
	case foreignDescends:
		first, second := newItem(i), newItem(i)
		C.descend(deep)
		runtime.KeepAlive(first)
		runtime.KeepAlive(second)
	case foreignSpins:
		spin(i)
	case foreignFaults:
		fault(i)
	case foreignReturns:
		runtime.KeepAlive(&item{id: i})
		crew.Ready()
	}
}

//go:noinline
func park() {
	crew.Ready()
	<-crew.Done
}

//go:noinline
func spin(i int) {
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

// fault waits in a deferred call, above the frame of a fault.
//
//go:noinline
func fault(i int) {
	first, second := newItem(i), newItem(i)
	defer runtime.KeepAlive(second)
	defer func() {
		park()
		runtime.KeepAlive(first)
		recover()
	}()
	null.next = second
}

// handled has items that C knows by a handle only.
func handled(p *truth.Program) {
	p.Add(truth.Root{Name: "runtime/cgo.handles", Type: "*main.item", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				handle := cgo.NewHandle(newItem(i))
				handles = append(handles, cgo.Handle(C.through_c(C.uintptr_t(handle))))
			}
		},
		Drop: func() {
			for _, handle := range handles {
				handle.Delete()
			}
		}})
}

// forgotten has items whose address is in the memory of C alone: they are dead.
func forgotten(p *truth.Program) {
	p.Add(truth.Root{Name: "memory of C", Type: "*main.item", Kind: "runtime", Count: 0,
		Make: func() { forget(each) }})
}

//go:noinline
func forget(n int) {
	for i := 0; i < n; i++ {
		it := &item{id: i}
		program.Forgotten(unsafe.Pointer(it))
		C.remember(C.uintptr_t(uintptr(unsafe.Pointer(it))))
	}
}
