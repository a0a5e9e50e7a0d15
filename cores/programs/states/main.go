// Command states holds memory by goroutines in every state in which an image
// can find them: in the stubs that reflect and iter make, above frames that a
// fault has stopped, and, with -busy, amid anything that the runtime does for a
// running program. A busy goroutine has a single pointer to an object, which it
// hands on and on: it is in a register, a frame, an argument, a channel.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

const few = 4

type item struct {
	id   int
	name string
	next *item
	rest [4]*item
}

var (
	busy    = flag.Bool("busy", false, "goroutines that never rest, while the collector runs")
	workers = flag.Int("workers", 8, "how many of them")
	profile = flag.Bool("profile", true, "with -busy: profile the processor all the time")
)

var (
	program  *truth.Program
	ballast  []byte // never touched: it makes collections rarer
	items    int
	counting sync.Mutex
	crew     = truth.NewCrew()
)

// newItem makes an item that stays, as long as whoever made it does.
func newItem(i int) *item {
	counting.Lock()
	defer counting.Unlock()
	items++
	it := &item{id: i, name: strings.Clone(fmt.Sprintf("item number %012d", i))}
	program.Planted(unsafe.Pointer(it))
	return it
}

func main() {
	procs := 2
	flag.Parse()
	if *busy {
		procs = 8 // more than there are processors: threads stop anywhere
	}
	runtime.GOMAXPROCS(procs)
	program = truth.Start("states")
	add := func(name string, goroutines, each int, run func(i int)) {
		program.Add(truth.Root{Name: "goroutine main." + name, Type: "*main.item", Kind: "stack",
			Count: int64(goroutines * each),
			Make: func() {
				crew.Go(goroutines, run)
				crew.Wait()
			}})
	}
	stubs(add)
	faults(add)
	coroutines(add)
	waits(add)
	if *busy {
		work()
	} else {
		add("spinMade", 2, 3, spinMade)
		add("spinMethod", 1, 2, spinMethod)
		neverStarted()
	}
	program.Type("main.item", items)
	program.Hold()
	os.Exit(0) // some goroutines never end
}

// work starts the busy goroutines. Their items come before the truth does.
func work() {
	ballast = make([]byte, 64<<20)
	for i := 0; i < *workers; i++ {
		go carry(newItem(i), uint32(i))
	}
	if *profile {
		runtime.SetCPUProfileRate(1000)
		if err := pprof.StartCPUProfile(nowhere{}); err != nil {
			panic(err)
		}
	}
	program.SetLive()
	time.Sleep(10 * time.Millisecond)
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

//go:noinline
func park() {
	crew.Ready()
	<-crew.Done
}
