// Command finalizer-never-run leaks goroutines that a finalizer should end: they refer to the
// object that has it themselves, so it is never dropped. In the repaired program they refer to
// what is inside only.
package main

import (
	"runtime"
	"time"

	"spanwalk/programs/leaks/plant"
)

// cache ends its janitor when it is dropped.
type cache struct{ *inner }

type inner struct {
	entries map[string]int
	due     chan struct{}
	quit    chan struct{}
}

var caches []*cache

func main() {
	p := plant.Start("finalizer-never-run")
	clean := plant.Group{Function: "main.clean", Wait: "select", On: "select"}
	p.Leak(func(int) {
		_ = newCache()
		if plant.Fixed() {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	}, clean)
	p.Healthy(func(int) { caches = append(caches, newCache()) }, clean)
	cleanups(p)
	p.Hold()
}

func newCache() *cache {
	in := &inner{map[string]int{}, make(chan struct{}), make(chan struct{})}
	c := &cache{in}
	runtime.SetFinalizer(c, func(c *cache) { close(c.quit) })
	if plant.Fixed() {
		go clean(in, nil)
	} else {
		go clean(in, c)
	}
	return c
}

//go:noinline
func clean(in *inner, owner *cache) {
	for {
		select {
		case <-in.due:
			in.entries = map[string]int{}
		case <-in.quit:
			runtime.KeepAlive(owner)
			return
		}
	}
}
