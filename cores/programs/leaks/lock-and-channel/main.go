// Command lock-and-channel leaks pairs of goroutines that wait for each other: one sends with a
// mutex held that the other wants before it receives, or each receives what the other would send
// next.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

type store struct {
	mu      sync.Mutex
	updates chan int
	last    int
}

var shared = newStore() // main unlocks it

func main() {
	p := plant.Start("lock-and-channel")
	p.Leak(func(int) {
		s := newStore()
		locked := make(chan struct{})
		go publish(s, locked)
		<-locked
		go consume(s)
	},
		plant.Group{Function: "main.publish", Wait: "chan send", On: "chan int"},
		plant.Group{Function: "main.consume", Wait: "sync.Mutex.Lock", On: "sync.Mutex"})
	p.Leak(func(int) {
		a, b := make(chan int), make(chan string)
		go ping(a, b)
		go pong(a, b)
	},
		plant.Group{Function: "main.ping", Wait: "chan receive", On: "chan int"},
		plant.Group{Function: "main.pong", Wait: "chan receive", On: "chan string"})
	shared.mu.Lock()
	p.Healthy(func(int) { go consume(shared) },
		plant.Group{Function: "main.consume", Wait: "sync.Mutex.Lock", On: "sync.Mutex"})
	p.Hold()
	shared.mu.Unlock()
}

func newStore() *store { return &store{updates: make(chan int)} }

//go:noinline
func publish(s *store, locked chan struct{}) {
	s.mu.Lock()
	s.last++
	update := s.last
	if plant.Fixed() {
		s.mu.Unlock()
		close(locked)
		s.updates <- update
		return
	}
	close(locked)
	s.updates <- update
	s.mu.Unlock()
}

//go:noinline
func consume(s *store) int {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	return last - <-s.updates
}

//go:noinline
func ping(a chan int, b chan string) {
	if plant.Fixed() {
		b <- "ping"
	}
	<-a
	if !plant.Fixed() {
		b <- "ping"
	}
}

//go:noinline
func pong(a chan int, b chan string) {
	<-b
	a <- 1
}
