// Command finalizer-blocked is an upload service whose handles tell, when they are dropped, how much
// they have written: over a channel whose reader has gone. The first finalizer waits there for ever,
// and nothing that dies after it is ever freed. The repaired program does not wait.
package main

import (
	"flag"
	"runtime"
	"time"

	"spanwalk/programs/internal/truth"
)

var (
	fixed = flag.Bool("fixed", false, "run the repaired program")
	count = flag.Int("count", 50, "handles that die after the first")
)

const payload = 2 << 10

type handle struct {
	id     int
	buffer []byte
}

// ticket dies with its handle.
type ticket struct {
	of *handle
}

var (
	written = make(chan int)
	started = make(chan struct{}, 1)
	open    []*handle
)

func main() {
	p := truth.Start("finalizer-blocked")
	p.SetSettle(20 * time.Millisecond)
	upload(1)
	runtime.GC()
	<-started
	upload(*count)
	issue(*count)
	for i := 0; i < 3; i++ {
		open = append(open, newHandle(i))
	}
	waiting := int64(2 * *count)
	running := int64(1)
	if *fixed {
		waiting, running = 0, 0
	}
	p.Int("waiting", waiting)
	p.Int("running", running)
	p.Int("waiting_bytes", waiting/2*payload)
	p.Int("open", 3)
	p.Hold()
	runtime.KeepAlive(open)
}

//go:noinline
func newHandle(i int) *handle {
	h := &handle{id: i, buffer: make([]byte, payload)}
	runtime.SetFinalizer(h, (*handle).release)
	return h
}

func (h *handle) release() {
	select {
	case started <- struct{}{}:
	default:
	}
	h.report()
}

//go:noinline
func (h *handle) report() {
	if *fixed {
		select {
		case written <- len(h.buffer):
		default:
		}
		return
	}
	written <- len(h.buffer)
}

//go:noinline
func upload(n int) {
	for i := 0; i < n; i++ {
		newHandle(i)
	}
}

//go:noinline
func issue(n int) {
	for i := 0; i < n; i++ {
		runtime.SetFinalizer(&ticket{open0()}, func(t *ticket) { t.of = nil })
	}
}

func open0() *handle {
	if len(open) == 0 {
		return nil
	}
	return open[0]
}
