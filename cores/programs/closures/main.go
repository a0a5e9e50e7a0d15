// Command closures holds memory by functions: what closures, method values,
// deferred calls, panics under way and coroutines have captured.
package main

import (
	"fmt"
	"strings"
	"sync"

	"spanwalk/programs/internal/truth"
)

const each = 100

type item struct {
	id   int
	name string
}

func (it *item) Work()        { it.id++ }
func (it item) Label() string { return it.name }
func (it *item) With(n int)   { it.id += n }
func (it *item) Close()       { it.id = -1 }

type worker interface{ Work() }

type big struct {
	items [20]*item
	pad   [10]int
}

func (b big) First() *item { return b.items[0] }

var (
	byValue    []func() int
	byRef      []func()
	bigCapture []func() *item
	methods    []func()
	labels     []func() string
	ifaces     []func()
	exprs      []func(*item, int)
	firsts     []func() *item
	curried    []func(int) func() int
	generic    []func() *item
)

var (
	items    int
	counting sync.Mutex
)

func newItem(i int) *item {
	counting.Lock()
	defer counting.Unlock()
	items++
	return &item{i, strings.Clone(fmt.Sprintf("item number %012d", i))}
}

func main() {
	p := truth.Start("closures")
	captured(p)
	bound(p)
	crew := truth.NewCrew()
	started(p, crew)
	deferred(p, crew)
	panicking(p, crew)
	coroutines(p)
	p.Type("main.item", items)
	p.Int("each", each)
	p.Hold()
}

// add makes a slice of functions, one for each number.
func add[F any](p *truth.Program, name string, list *[]F, make func(i int) F) {
	p.Add(truth.Root{Name: "main." + name, Type: fmt.Sprintf("%T", *list), Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				*list = append(*list, make(i))
			}
		},
		Drop: func() { *list = nil }})
}

func captured(p *truth.Program) {
	add(p, "byValue", &byValue, func(i int) func() int {
		it := newItem(i)
		return func() int { return it.id }
	})
	add(p, "byRef", &byRef, func(i int) func() {
		it := newItem(i)
		calls := 0
		return func() {
			calls++
			it = &item{calls, it.name}
		}
	})
	add(p, "bigCapture", &bigCapture, func(i int) func() *item {
		var b big
		b.items[i%20] = newItem(i)
		return func() *item { return b.items[i%20] }
	})
	add(p, "curried", &curried, func(i int) func(int) func() int {
		it := newItem(i)
		return func(n int) func() int { return func() int { return it.id + n } }
	})
	add(p, "generic", &generic, func(i int) func() *item { return keep(newItem(i)) })
}

func keep[T any](value T) func() T { return func() T { return value } }

func bound(p *truth.Program) {
	add(p, "methods", &methods, func(i int) func() { return newItem(i).Work })
	add(p, "labels", &labels, func(i int) func() string { return newItem(i).Label })
	add(p, "ifaces", &ifaces, func(i int) func() { return worker(newItem(i)).Work })
	add(p, "exprs", &exprs, func(int) func(*item, int) { return (*item).With })
	add(p, "firsts", &firsts, func(i int) func() *item {
		var b big
		b.items[0] = newItem(i)
		return b.First
	})
}

// started parks goroutines whose arguments and captures are all they have.
func started(p *truth.Program, crew *truth.Crew) {
	p.Add(truth.Root{Name: "goroutine main.started", Type: "*main.item", Kind: "stack", Count: 2 * each,
		Make: func() {
			crew.Go(each, func(i int) {
				it := newItem(i)
				func() {
					crew.Ready()
					<-crew.Done
					it.Work()
				}()
			})
			for i := 0; i < each; i++ {
				crew.Go(1, func(int) { wait(crew, newItem(i)) })
			}
			crew.Wait()
		}})
}

//go:noinline
func wait(crew *truth.Crew, it *item) {
	crew.Ready()
	<-crew.Done
	it.Work()
}
