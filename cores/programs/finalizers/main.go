// Command finalizers holds memory by what the collector keeps beside objects:
// finalizers, cleanups, weak pointers, pins, unique handles.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"spanwalk/programs/internal/truth"
)

const (
	each   = 100
	few    = 5
	queued = 50
	links  = 20
)

type item struct {
	id   int
	name string
}

type resource struct {
	id    int
	owned *item
}

// link is one of a chain in which every part has a finalizer: a collection
// finalizes only the first of them.
type link struct {
	next *link
	it   *item
}

// bigSelf is larger than the 128 KiB that the collector scans in one piece. A
// pointer from one piece to another of the same object marks it, so that its
// finalizer never runs although nothing else refers to it.
type bigSelf struct {
	far  *byte
	it   *item
	body [300 << 10]byte
}

// bigNear points into its own first piece, which does not mark it.
type bigNear struct {
	near *byte
	body [300 << 10]byte
}

var (
	resources []*resource
	bareInts  []*int
	chain     *link
	bySpecial []*[64]byte // their finalizers have captured an item each
	pipes     []*os.File
	gate      chan struct{}
	running   chan struct{}
	nearDone  int
	items     int
)

func newItem(i int) *item {
	items++
	return &item{i, strings.Clone(fmt.Sprintf("item number %012d", i))}
}

func main() {
	p := truth.Start("finalizers")
	p.SetSettle(10 * time.Millisecond)
	ordinary(p)
	large(p)
	pins(p)
	p.Add(truth.Root{Name: "main.pipes", Type: "[]*os.File", Count: 2 * few,
		Make: func() {
			for i := 0; i < few; i++ {
				r, w, err := os.Pipe()
				if err != nil {
					panic(err)
				}
				pipes = append(pipes, r, w)
			}
		}, Drop: func() { pipes = nil }})
	weakPointers(p)
	uniqueHandles(p)
	cleanups(p)
	queue(p) // last: no finalizer runs any more
	p.Type("main.item", items)
	p.Int("bigNear_finalized", int64(nearDone))
	p.Hold()
}

func ordinary(p *truth.Program) {
	p.Add(truth.Root{Name: "main.resources", Type: "[]*main.resource", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				r := &resource{i, newItem(i)}
				runtime.SetFinalizer(r, func(r *resource) { r.owned = nil })
				resources = append(resources, r)
			}
		}, Drop: func() { resources = nil }})
	p.Add(truth.Root{Name: "main.bareInts", Type: "[]*int", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				n := new(int)
				*n = i
				runtime.SetFinalizer(n, func(*int) {})
				bareInts = append(bareInts, n)
			}
		}, Drop: func() { bareInts = nil }})
	p.Add(truth.Root{Name: "main.chain", Type: "*main.link", Count: links,
		Make: func() {
			for i := 0; i < links; i++ {
				chain = &link{chain, newItem(i)}
				runtime.SetFinalizer(chain, func(*link) {})
			}
		}, Drop: func() { chain = nil }})
	p.Add(truth.Root{Name: "finalizer functions of main.bySpecial", Type: "*main.item", Kind: "finalizer", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				captured := newItem(i)
				object := new([64]byte)
				runtime.SetFinalizer(object, func(*[64]byte) { captured.id++ })
				bySpecial = append(bySpecial, object)
			}
		}, Drop: func() { bySpecial = nil }})
}

func large(p *truth.Program) {
	p.Add(truth.Root{Name: "finalizer of main.bigSelf", Type: "*main.bigSelf", Kind: "finalizer", Count: few,
		Bytes: few * (300<<10 + 16),
		Make: func() {
			for i := 0; i < few; i++ {
				b := &bigSelf{it: newItem(i)}
				b.far = &b.body[200<<10]
				runtime.SetFinalizer(b, func(*bigSelf) { panic("bigSelf was finalized") })
			}
		}})
	p.Add(truth.Root{Name: "main.bigNear", Type: "*main.bigNear", Kind: "finalizer", Count: 0,
		Make: func() {
			for i := 0; i < few; i++ {
				b := &bigNear{}
				b.near = &b.body[10]
				runtime.SetFinalizer(b, func(*bigNear) { nearDone++ })
			}
		}})
}

// queue blocks the goroutine that runs finalizers in one of them and lets more
// objects die: they wait in the finalizer queue, which keeps them alive.
func queue(p *truth.Program) {
	p.Add(truth.Root{Name: "finalizer queue", Type: "*main.resource", Kind: "finalizer", Count: queued + 1,
		Make: func() {
			gate, running = make(chan struct{}), make(chan struct{})
			blocker(gate, running)
			runtime.GC()
			<-running
			for i := 0; i < queued; i++ {
				runtime.SetFinalizer(&resource{i, newItem(i)}, func(r *resource) { r.owned.id++ })
			}
		}, Drop: func() { close(gate) }})
}

//go:noinline
func blocker(gate, running chan struct{}) {
	r := &resource{-1, newItem(-1)}
	runtime.SetFinalizer(r, func(r *resource) {
		close(running)
		<-gate
		r.owned.id++
	})
}
