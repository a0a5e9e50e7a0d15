// Command once-deadlock leaks goroutines in a sync.Once whose function asks for the same Once,
// waits for something that never comes, and those that wait for it to end.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

const users = 2

type config struct {
	once   sync.Once
	source chan string
	value  string
}

var slow = &config{source: make(chan string)}

func main() {
	p := plant.Start("once-deadlock")
	p.Leak(func(int) { go recursive(new(config)) },
		plant.Group{Function: "main.recursive", Wait: "sync.Mutex.Lock", On: "sync.Mutex"})
	groups := []plant.Group{
		{Function: "main.load", Wait: "chan receive", On: "chan string"},
		{Function: "main.use", Wait: "sync.Mutex.Lock", On: "sync.Mutex", Each: users},
	}
	p.Leak(func(int) {
		c := &config{source: make(chan string, 1)}
		if plant.Fixed() {
			c.source <- "value"
		}
		crowd(c)
	}, groups...)
	p.HealthyN(1, func(int) { crowd(slow) }, groups...)
	p.Hold()
}

// recursive asks for the value that it is about to set.
//
//go:noinline
func recursive(c *config) {
	c.once.Do(func() {
		if !plant.Fixed() {
			c.once.Do(c.read)
		}
		c.value = "default"
	})
}

// crowd lets one goroutine load, and others wait for it.
func crowd(c *config) {
	inside := make(chan struct{})
	go load(c, inside)
	<-inside
	for i := 0; i < users; i++ {
		go use(c)
	}
}

//go:noinline
func load(c *config, inside chan struct{}) {
	c.once.Do(func() {
		close(inside)
		c.read()
	})
}

//go:noinline
func use(c *config) string {
	c.once.Do(c.read)
	return c.value
}

func (c *config) read() { c.value = <-c.source }
