// Command stacks holds memory by the stacks of goroutines in every state in
// which the collector scans one.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"spanwalk/programs/internal/truth"
)

const (
	deepGoroutines = 4
	depth          = 2000
	few            = 8
)

type item struct {
	id   int
	name string
	next *item
}

func (it *item) Wait(crew *truth.Crew, other *item) int {
	crew.Ready()
	<-crew.Done
	return it.id + other.id
}

var (
	items    int
	counting sync.Mutex
	null     *item
)

func newItem(i int) *item {
	counting.Lock()
	defer counting.Unlock()
	items++
	return &item{id: i, name: strings.Clone(fmt.Sprintf("item number %012d", i))}
}

var spinners = flag.Int("spin", 3, "goroutines in a loop that only a signal interrupts")

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("stacks")
	crew := truth.NewCrew()
	add := func(name string, goroutines, each int, run func(crew *truth.Crew, i int)) {
		p.Add(truth.Root{Name: "goroutine main." + name, Type: "*main.item", Kind: "stack",
			Count: int64(goroutines * each),
			Make: func() {
				crew.Go(goroutines, func(i int) { run(crew, i) })
				crew.Wait()
			}})
	}
	add("recurse", deepGoroutines, depth, func(crew *truth.Crew, _ int) { recurse(crew, depth) })
	add("stackObjects", few, 5, stackObjects)
	add("bigFrame", few, 100, bigFrame)
	add("hugeObject", few, 3, hugeObject)
	add("manyArguments", few, 12, callManyArguments)
	add("nilPointer", few, 2, nilPointer)
	add("nilPointerDeep", few, 3, nilPointerDeep)
	add("divideByZero", few, 1, divideByZero)
	add("madeFunction", few, 3, madeFunction)
	add("reflectedMethod", few, 2, reflectedMethod)
	add("grown", few, 2, grown)
	add("inSyscall", 2, 1, inSyscall)
	add("locked", 2, 1, locked)
	if *spinners > 0 {
		add("spin", *spinners, 2, spin)
	}
	p.Int("spinning", int64(*spinners))
	p.Type("main.item", items)
	p.Hold()
	os.Exit(0) // the spinners never end
}

// recurse has an item in each of its frames.
//
//go:noinline
func recurse(crew *truth.Crew, n int) int {
	it := newItem(n)
	if n == 1 {
		crew.Ready()
		<-crew.Done
		return it.id
	}
	below := recurse(crew, n-1)
	return below + it.id
}
