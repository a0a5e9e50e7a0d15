// Command double-lock leaks goroutines whose method, with the lock held, calls a method that
// takes it.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

type cache struct {
	mu      sync.Mutex
	entries map[string]int
}

var shared cache // main unlocks it

func main() {
	p := plant.Start("double-lock")
	p.Leak(func(int) { go new(cache).refresh() },
		plant.Group{Function: "main.(*cache).refresh", Wait: "sync.Mutex.Lock", On: "sync.Mutex"})
	shared.mu.Lock()
	p.Healthy(func(int) { go shared.refresh() },
		plant.Group{Function: "main.(*cache).refresh", Wait: "sync.Mutex.Lock", On: "sync.Mutex"})
	p.Hold()
	shared.mu.Unlock()
}

//go:noinline
func (c *cache) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if plant.Fixed() {
		c.entries = map[string]int{"size": len(c.entries)}
		return
	}
	c.entries = map[string]int{"size": c.size()}
}

//go:noinline
func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}
