package truth

import (
	"runtime"
	"sync"
	"time"
)

// Crew starts goroutines and lets them end together. A goroutine calls Ready
// just before it blocks; Wait returns when all of them have done so.
type Crew struct {
	ready sync.WaitGroup
	// Done is closed by Release.
	Done chan struct{}
}

// NewCrew returns a crew without members.
func NewCrew() *Crew { return &Crew{Done: make(chan struct{})} }

// Go starts f n times, with 0…n-1.
func (c *Crew) Go(n int, f func(i int)) {
	c.ready.Add(n)
	for i := 0; i < n; i++ {
		go f(i)
	}
}

// Ready says that the calling goroutine blocks next.
func (c *Crew) Ready() { c.ready.Done() }

// Wait waits for every goroutine to be ready, and a moment more for it to block.
func (c *Crew) Wait() {
	c.ready.Wait()
	for i := 0; i < 10; i++ {
		runtime.Gosched()
		time.Sleep(2 * time.Millisecond)
	}
}

// Release lets the goroutines that wait for Done go.
func (c *Crew) Release() {
	close(c.Done)
	time.Sleep(20 * time.Millisecond)
}
