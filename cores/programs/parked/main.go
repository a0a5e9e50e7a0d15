// Command parked is a server at rest: thousands of goroutines wait, in every way that Go knows,
// and each of them will run again. What wakes them is held by variables, by goroutines that sleep
// or wait for something that is held, by timers, by finalizers. None leaks.
//
// With -light all of them wait for one channel, in 64 different stacks, and nothing else is made.
package main

import (
	"context"
	"flag"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"time"

	"spanwalk/programs/internal/truth"
	"spanwalk/programs/leaks/plant"
)

const (
	threads = 4    // of those that take a thread each
	links   = 12   // of a chain
	usual   = 5000 // goroutines in all, unless -count says otherwise
)

var (
	light = flag.Bool("light", false, "let all goroutines wait for one channel")
	few   = 20 // goroutines of a kind, unless -few says otherwise
)

// What wakes goroutines, held by variables.
var (
	requests = make(chan *request)
	shutdown = make(chan struct{})
	replies  chan chan error
	table    = map[int]context.CancelFunc{}
	conns    []net.Conn
	janitors []*cache
	signals  = make(chan os.Signal, 1)
	events   = sync.NewCond(new(sync.Mutex))
	pipes    [][2]int
)

type request struct{ id int }

func main() {
	flag.IntVar(&few, "few", few, "goroutines of a kind")
	flag.Parse()
	if !flagGiven("count") {
		_ = flag.Set("count", strconv.Itoa(usual))
	}
	if *light {
		lightly()
		return
	}
	p := plant.Start("parked")
	channels(p)
	clocks(p)
	contexts(p)
	locks(p)
	connections(p)
	marked(p)
	coroutines(p)
	startWorkers(p, plant.Count()-p.HealthyGoroutines())
	p.Hold()
	runtime.KeepAlive(pipes)
}

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// lightly parks many goroutines and knows that they are at rest because they have said so.
func lightly() {
	p := truth.Start("parked")
	crew := truth.NewCrew()
	p.Add(truth.Root{Name: "goroutine main.turn", Kind: "healthy", Type: "chan struct {}",
		Count: int64(plant.Count())})
	crew.Go(plant.Count(), func(i int) { turn(crew, i, 6) })
	crew.Wait()
	p.Int("leaked_goroutines", 0)
	p.Int("healthy_goroutines", int64(plant.Count()))
	p.Hold()
	crew.Release()
}

// turn takes one of two functions for each bit of path.
func turn(crew *truth.Crew, path, bits int) {
	switch {
	case bits == 0:
		crew.Ready()
		<-crew.Done
	case path%2 == 0:
		even(crew, path/2, bits-1)
	default:
		odd(crew, path/2, bits-1)
	}
}

//go:noinline
func even(crew *truth.Crew, path, bits int) { turn(crew, path, bits) }

//go:noinline
func odd(crew *truth.Crew, path, bits int) { turn(crew, path, bits) }

// startWorkers starts what a server has most of.
func startWorkers(p *plant.Program, n int) {
	p.HealthyN(n, func(int) { go handle(requests) },
		plant.Group{Function: "main.handle", Wait: "chan receive", On: "chan *main.request"})
}

//go:noinline
func handle(in <-chan *request) (sum int) {
	for r := range in {
		sum += process(r)
	}
	return sum
}

// process is small enough to be inlined.
func process(r *request) int { return r.id * 2 }

func channels(p *plant.Program) {
	p.HealthyN(few, func(int) { go choose(make(chan int)) },
		plant.Group{Function: "main.choose", Wait: "select", On: "select"})
	replies = make(chan chan error, few)
	p.HealthyN(few, func(int) {
		c := make(chan error)
		replies <- c
		go awaitReply(c)
	}, plant.Group{Function: "main.awaitReply", Wait: "chan receive", On: "chan error"})
	// Each waits for the one before it; the first for what a variable holds.
	p.HealthyN(few, func(int) {
		before := shutdown
		for i := 0; i < links; i++ {
			after := make(chan struct{})
			go link(before, after)
			before = after
		}
	}, plant.Group{Function: "main.link", Wait: "chan receive", On: "chan struct {}", Each: links})
	p.HealthyN(few, func(int) {
		c := newCache()
		janitors = append(janitors, c)
	}, plant.Group{Function: "main.clean", Wait: "select", On: "select"})
	p.HealthyN(1, func(int) {
		signal.Notify(signals, syscall.SIGUSR2)
		go awaitSignal(signals)
	},
		plant.Group{Function: "os/signal.loop", Wait: "syscall", On: "syscall"},
		plant.Group{Function: "main.awaitSignal", Wait: "chan receive", On: "chan os.Signal"})
	// A semaphore that those who hold a slot give back after their sleep.
	p.HealthyN(few, func(int) {
		slots := make(chan struct{}, 1)
		slots <- struct{}{}
		go release(slots)
		go acquire(slots)
	},
		plant.Group{Function: "main.release", Wait: "sleep", On: "sleep"},
		plant.Group{Function: "main.acquire", Wait: "chan send", On: "chan struct {}"})
}

//go:noinline
func choose(requests <-chan int) int {
	select {
	case n := <-requests:
		return n
	case <-shutdown:
		return 0
	}
}

//go:noinline
func awaitReply(c <-chan error) error { return <-c }

//go:noinline
func link(before, after chan struct{}) {
	<-before
	close(after)
}

// cache ends its janitor when it is dropped: a finalizer does that.
type cache struct{ *inner }

type inner struct {
	entries map[string]int
	quit    chan struct{}
}

func newCache() *cache {
	in := &inner{map[string]int{}, make(chan struct{})}
	c := &cache{in}
	runtime.SetFinalizer(c, func(c *cache) { close(c.quit) })
	go clean(in, time.NewTicker(time.Hour))
	return c
}

//go:noinline
func clean(in *inner, due *time.Ticker) {
	defer due.Stop()
	for {
		select {
		case <-due.C:
			in.entries = map[string]int{}
		case <-in.quit:
			return
		}
	}
}

//go:noinline
func awaitSignal(c <-chan os.Signal) os.Signal { return <-c }

//go:noinline
func release(slots chan struct{}) {
	time.Sleep(time.Hour)
	<-slots
}

//go:noinline
func acquire(slots chan struct{}) {
	slots <- struct{}{}
	<-slots
}

// marked are goroutines with something about them that a list shows.
func marked(p *plant.Program) {
	p.HealthyN(few, func(i int) {
		labels := pprof.Labels("tenant", "t"+strconv.Itoa(i%3), "path", "/write")
		pprof.Do(context.Background(), labels, func(context.Context) { go labelled(requests) })
	}, plant.Group{Function: "main.labelled", Wait: "chan receive", On: "chan *main.request"})
	p.HealthyN(threads, func(int) { go pinned(requests) },
		plant.Group{Function: "main.pinned", Wait: "chan receive", On: "chan *main.request"})
	p.HealthyN(threads, func(int) {
		var pipe [2]int
		if err := syscall.Pipe(pipe[:]); err != nil {
			panic(err)
		}
		pipes = append(pipes, pipe)
		go read(pipe[0])
	}, plant.Group{Function: "main.read", Wait: "syscall", On: "syscall"})
}

//go:noinline
func labelled(in <-chan *request) int { return process(<-in) }

//go:noinline
func pinned(in <-chan *request) int {
	runtime.LockOSThread()
	return process(<-in)
}

// read waits in read(2), with a thread of its own.
//
//go:noinline
func read(descriptor int) (n int) {
	var buffer [8]byte
	n, _ = syscall.Read(descriptor, buffer[:])
	return n
}
