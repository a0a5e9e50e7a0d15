// Package truth lets a test program say what its heap holds: it measures what
// each root keeps alive while the program builds it, prints one line of JSON
// on stdout, and then waits for commands on stdin.
//
// Nothing is allocated between the last collection and the moment the process
// waits, so that an image taken then shows exactly the heap of that collection.
package truth

import (
	"flag"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"
)

// Root is one thing that keeps memory alive: a package-level variable by the
// name the symbol table gives it ("main.leak"), or "goroutine main.function".
type Root struct {
	Name string
	Type string // as the runtime spells it
	Kind string // global (default), stack, finalizer, cleanup, runtime
	// Count is how many things of interest were made, Bytes what they were
	// asked to hold (0: not known); both by construction.
	Count int64
	Bytes int64
	// Retained is what Make left behind between two collections, measured by
	// Add; with Make nil it is what the caller knows.
	Retained int64
	Make     func()
	Drop     func() // makes the root let go; nil: cannot be dropped
}

// Program gathers the truth of one process.
type Program struct {
	name  string
	roots []Root
	types []count
	facts []fact
	live  bool
	// between runs between the two collections before the truth is printed.
	between func()
	settle  time.Duration
	// atAbort runs before the process dumps itself.
	atAbort   func()
	planted   []uintptr
	forgotten []uintptr
	now       measure
	out       []byte
	line      []byte
	input     [512]byte
}

type count struct {
	name string
	n    int64
}

type fact struct {
	key  string
	text string
	num  float64
	kind byte // 's' text, 'i' integer, 'f' float, 'b' bool
}

// The metrics that Program.measure reads, in this order.
var metricNames = []string{
	"/gc/heap/objects:objects",
	"/gc/heap/live:bytes",
	"/cpu/classes/gc/total:cpu-seconds",
	"/cpu/classes/gc/mark/dedicated:cpu-seconds",
	"/cpu/classes/gc/mark/assist:cpu-seconds",
	"/cpu/classes/gc/mark/idle:cpu-seconds",
	"/cpu/classes/gc/pause:cpu-seconds",
}

type measure struct {
	stats   runtime.MemStats
	metrics []metrics.Sample
}

func (m *measure) read() {
	metrics.Read(m.metrics)
	runtime.ReadMemStats(&m.stats)
}

// live is what the last collection left; the metric came in Go 1.21.
func (m *measure) live() int64 {
	if v := m.metrics[1].Value; v.Kind() == metrics.KindUint64 {
		return int64(v.Uint64())
	}
	return int64(m.stats.HeapAlloc)
}

// seconds is one of the metrics in CPU seconds; they came in Go 1.20.
func (m *measure) seconds(i int) float64 {
	if v := m.metrics[i].Value; v.Kind() == metrics.KindFloat64 {
		return v.Float64()
	}
	return 0
}

var hold = flag.Bool("hold", true, "wait for commands on stdin after the truth is printed")

// Start parses the flags and brings the runtime to rest, so that its own first
// allocations are not counted for a root.
func Start(name string) *Program {
	if !flag.Parsed() {
		flag.Parse()
	}
	p := &Program{
		name: name,
		out:  make([]byte, 0, 256<<10),
		line: make([]byte, 0, 4096),
	}
	for _, metric := range metricNames {
		p.now.metrics = append(p.now.metrics, metrics.Sample{Name: metric})
	}
	warm()
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	p.now.read()
	return p
}

// warm makes the runtime start its threads now: each is an object of the heap.
func warm() {
	var done sync.WaitGroup
	for i := 0; i < 6; i++ {
		done.Add(1)
		go func() {
			pause := syscall.NsecToTimespec(2e6)
			_ = syscall.Nanosleep(&pause, nil)
			done.Done()
		}()
	}
	done.Wait()
}

// SetLive keeps the collector on while the process waits.
func (p *Program) SetLive() { p.live = true }

// SetSettle sets how long finalizers and cleanups get after each collection.
func (p *Program) SetSettle(d time.Duration) { p.settle = d }

// Between sets what runs between the last two collections.
func (p *Program) Between(f func()) { p.between = f }

// Add makes a root and measures what it keeps alive. Two collections on each
// side empty the pools and finish the sweep.
func (p *Program) Add(r Root) {
	if r.Kind == "" {
		r.Kind = "global"
	}
	if r.Make != nil {
		before := p.heap()
		r.Make()
		r.Retained += p.heap() - before
		r.Make = nil
	}
	p.roots = append(p.roots, r)
}

// Counted sets what a root holds, where that is known only after it was made.
func (p *Program) Counted(name string, count, bytes int64) {
	for i := range p.roots {
		if p.roots[i].Name == name {
			p.roots[i].Count, p.roots[i].Bytes = count, bytes
		}
	}
}

// Type states how many objects of a type are live.
func (p *Program) Type(name string, n int) { p.types = append(p.types, count{name, int64(n)}) }

// Int, Float, Text and Bool state a free-form fact.
func (p *Program) Int(key string, n int64) {
	p.facts = append(p.facts, fact{key: key, num: float64(n), kind: 'i'})
}

// Float states a fact that is no whole number.
func (p *Program) Float(key string, x float64) {
	p.facts = append(p.facts, fact{key: key, num: x, kind: 'f'})
}

// Text states a fact in words.
func (p *Program) Text(key, s string) {
	p.facts = append(p.facts, fact{key: key, text: s, kind: 's'})
}

// Bool states whether something holds.
func (p *Program) Bool(key string, b bool) {
	n := 0.0
	if b {
		n = 1
	}
	p.facts = append(p.facts, fact{key: key, num: n, kind: 'b'})
}

func (p *Program) collect() {
	runtime.GC()
	if p.settle > 0 {
		time.Sleep(p.settle)
	}
}

func (p *Program) heap() int64 {
	p.collect()
	p.collect()
	p.now.read()
	return int64(p.now.stats.HeapAlloc)
}

// GCCost is what one forced collection costs on the heap as it is.
type GCCost struct {
	Total, Dedicated, Assist, Idle, Pause float64 // CPU seconds
	Wall                                  float64 // seconds of runtime.GC
}

// MeasureGC forces n collections with GOMAXPROCS=1 and returns the one with
// the median total. The runtime updates these metrics when a cycle ends.
func (p *Program) MeasureGC(n int) GCCost {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.GC()
	costs := make([]GCCost, n)
	for i := range costs {
		costs[i] = p.oneGC()
	}
	for i := range costs {
		for j := i; j > 0 && costs[j].Total < costs[j-1].Total; j-- {
			costs[j], costs[j-1] = costs[j-1], costs[j]
		}
	}
	return costs[n/2]
}

func (p *Program) oneGC() GCCost {
	var before [7]float64
	p.now.read()
	for i := 2; i < 7; i++ {
		before[i] = p.now.seconds(i)
	}
	start := time.Now()
	runtime.GC()
	wall := time.Since(start).Seconds()
	p.now.read()
	since := func(i int) float64 { return p.now.seconds(i) - before[i] }
	return GCCost{since(2), since(3), since(4), since(5), since(6), wall}
}

// Hold collects twice, prints the truth and serves commands until stdin ends.
func (p *Program) Hold() {
	if p.live {
		debug.SetGCPercent(100)
	} else {
		debug.SetGCPercent(-1)
	}
	p.finish()
	p.now.read()
	p.print(nil)
	if *hold {
		p.serve()
	}
}

func (p *Program) finish() {
	p.collect()
	if p.between != nil {
		p.between()
	}
	runtime.GC()
}
