// Command sweeping is dumped right after a collection, when most of its memory
// has not been swept: objects lie about that the collection found dead, thousands
// of them with finalizers and cleanups that nobody has queued yet. The goroutine
// that runs finalizers waits in one, with a long queue behind it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

const (
	each   = 2000
	queued = 1000
	blocks = 20000
)

type item struct {
	id   int
	name string
}

// resource is large: the sweeper begins with the small ones.
type resource struct {
	id    int
	owned *item
	next  *resource
	body  [100]*item
}

// block fills half the spans with garbage, whose other half lives.
type block struct {
	next *block
	body [30]*block
}

var (
	program   *truth.Program
	items     int
	resources [each]*resource
	kept      *block
	fillers   *filler
	gate      = make(chan struct{})
	running   = make(chan struct{})
	cycles    = []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
)

// filler is what the program allocates while it waits for the end of the
// collection; all of it stays reachable.
type filler struct {
	next *filler
	body [14]uintptr
}

func newItem(i int) *item {
	items++
	it := &item{i, strings.Clone(fmt.Sprintf("item number %012d", i))}
	program.Planted(unsafe.Pointer(it))
	return it
}

func main() {
	runtime.GOMAXPROCS(1) // the sweeper has to wait for this goroutine
	program = truth.Start("sweeping")
	debug.SetGCPercent(-1)
	queue()
	revivable()
	watched()
	weakly()
	program.Add(truth.Root{Name: "main.kept", Type: "*main.block", Count: blocks, Make: func() {
		for i := 0; i < blocks; i++ {
			kept = &block{next: kept}
		}
	}})
	program.Type("main.item", items)
	metrics.Read(cycles)
	program.AtAbort(collectAndStop)
	program.Hold()
	os.Exit(0)
}

// queue blocks the goroutine that runs finalizers and lets more objects die.
func queue() {
	program.Add(truth.Root{Name: "finalizer queue", Type: "*main.resource", Kind: "finalizer",
		Count: queued + 1,
		Make: func() {
			blocker()
			runtime.GC()
			<-running
			for i := 0; i < queued; i++ {
				runtime.SetFinalizer(&resource{id: i, owned: newItem(i)}, func(r *resource) { r.owned.id++ })
			}
		}})
}

//go:noinline
func blocker() {
	r := &resource{id: -1, owned: newItem(-1)}
	runtime.SetFinalizer(r, func(r *resource) {
		close(running)
		<-gate
		r.owned.id++
	})
}

// revivable has objects with finalizers that are reachable until the end.
func revivable() {
	program.Add(truth.Root{Name: "main.resources", Type: "[2000]*main.resource", Count: each, Make: func() {
		for i := range resources {
			resources[i] = &resource{id: i, owned: newItem(i), next: &resource{id: -i}}
			program.Planted(unsafe.Pointer(resources[i]))
			runtime.SetFinalizer(resources[i], func(r *resource) { r.owned.id++ })
		}
	}})
}

// collectAndStop lets go of half the heap, waits for a collection that the
// runtime starts by itself, and returns when it ends.
//
//go:noinline
func collectAndStop() {
	for i := range resources {
		resources[i] = nil
	}
	dropWatched()
	for b := kept; b != nil && b.next != nil; b = b.next {
		b.next = b.next.next
	}
	before := cycle()
	debug.SetGCPercent(50) // less, and the sweeper could not take its time
	for cycle() == before {
		for i := 0; i < 20; i++ {
			fillers = &filler{next: fillers}
		}
	}
}

func cycle() uint64 {
	metrics.Read(cycles)
	return cycles[0].Value.Uint64()
}
