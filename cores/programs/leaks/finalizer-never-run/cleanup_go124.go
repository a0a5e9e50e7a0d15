//go:build go1.24

package main

import (
	"runtime"
	"time"

	"spanwalk/programs/leaks/plant"
)

var stores []*cache

// cleanups does the same with what took the place of finalizers.
func cleanups(p *plant.Program) {
	sweep := plant.Group{Function: "main.sweep", Wait: "select", On: "select"}
	p.Leak(func(int) {
		_ = newStore()
		if plant.Fixed() {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	}, sweep)
	p.Healthy(func(int) { stores = append(stores, newStore()) }, sweep)
}

func newStore() *cache {
	in := &inner{map[string]int{}, make(chan struct{}), make(chan struct{})}
	c := &cache{in}
	runtime.AddCleanup(c, func(quit chan struct{}) { close(quit) }, in.quit)
	if plant.Fixed() {
		go sweep(in, nil)
	} else {
		go sweep(in, c)
	}
	return c
}

//go:noinline
func sweep(in *inner, owner *cache) {
	select {
	case <-in.due:
		in.entries = map[string]int{}
	case <-in.quit:
		runtime.KeepAlive(owner)
	}
}
