// Command full-semaphore leaks goroutines that wait for a slot of a buffered channel which those
// that failed never gave back: a limiter, and a group that starts a limited number of tasks.
package main

import (
	"errors"
	"sync"

	"spanwalk/programs/leaks/plant"
)

const (
	limit   = 2
	waiting = 3
)

type slot struct{}

// limiter lets a limited number of jobs run at a time.
type limiter struct{ slots chan slot }

// group is a WaitGroup that runs a limited number of tasks at a time.
type group struct {
	done  sync.WaitGroup
	slots chan slot
	err   error
}

var (
	errFailed = errors.New("failed")
	full      = newLimiter()
)

func main() {
	p := plant.Start("full-semaphore")
	p.Leak(func(int) { limited() }, plant.Group{Function: "main.(*limiter).run", Wait: "chan send",
		On: "chan main.slot", Each: waiting})
	p.Leak(func(int) { go fanOut(&group{slots: make(chan slot, limit)}) },
		plant.Group{Function: "main.fanOut", Wait: "chan send", On: "chan main.slot"})
	for i := 0; i < limit; i++ {
		full.slots <- slot{}
	}
	p.Healthy(func(int) { go full.run(succeed) }, plant.Group{Function: "main.(*limiter).run",
		Wait: "chan send", On: "chan main.slot"})
	p.Hold()
}

func newLimiter() *limiter { return &limiter{make(chan slot, limit)} }

func limited() {
	l := newLimiter()
	for i := 0; i < limit; i++ {
		_ = l.run(fail)
	}
	for i := 0; i < waiting; i++ {
		go l.run(succeed)
	}
}

func fail() error    { return errFailed }
func succeed() error { return nil }

//go:noinline
func (l *limiter) run(job func() error) error {
	l.slots <- slot{}
	if err := job(); err != nil {
		if plant.Fixed() {
			<-l.slots
		}
		return err
	}
	<-l.slots
	return nil
}

//go:noinline
func fanOut(g *group) error {
	for i := 0; i < 2*limit; i++ {
		g.start(fail)
	}
	g.done.Wait()
	return g.err
}

// start waits for a slot, which a task that fails does not give back.
//
//go:noinline
func (g *group) start(task func() error) {
	g.slots <- slot{}
	g.done.Add(1)
	go g.run(task)
}

//go:noinline
func (g *group) run(task func() error) {
	defer g.done.Done()
	if task() != nil && !plant.Fixed() {
		return
	}
	<-g.slots
}
