// Command cond-never-signalled leaks goroutines that wait for a condition whose state changes
// without a signal.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

type queue struct {
	mu     sync.Mutex
	filled *sync.Cond
	items  []int
	closed bool
}

var jobs = newQueue()

func main() {
	p := plant.Start("cond-never-signalled")
	cond := plant.Group{Function: "main.take", Wait: "sync.Cond.Wait", On: "sync.Cond"}
	p.Leak(func(int) {
		q := newQueue()
		go take(q)
		q.close()
	}, cond)
	p.Healthy(func(int) { go take(jobs) }, cond)
	p.Hold()
}

func newQueue() *queue {
	q := new(queue)
	q.filled = sync.NewCond(&q.mu)
	return q
}

// close ends those that wait, if it does not forget to tell them.
//
//go:noinline
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if plant.Fixed() {
		q.closed = true
		q.filled.Broadcast()
	}
}

//go:noinline
func take(q *queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closed {
		q.filled.Wait()
	}
	return len(q.items)
}
