// Command waitgroup-never-done leaks goroutines that wait for a WaitGroup of which one worker
// returns early without Done.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

const workers = 4

var open sync.WaitGroup // its worker is still to be called

func main() {
	p := plant.Start("waitgroup-never-done")
	p.Leak(func(int) { gather() },
		plant.Group{Function: "main.collect", Wait: "sync.WaitGroup.Wait", On: "sync.WaitGroup"})
	open.Add(1)
	p.Healthy(func(int) { go collect(&open) },
		plant.Group{Function: "main.collect", Wait: "sync.WaitGroup.Wait", On: "sync.WaitGroup"})
	p.Hold()
	open.Done()
}

func gather() {
	all := new(sync.WaitGroup)
	for i := 0; i < workers; i++ {
		all.Add(1)
		go work(all, i)
	}
	go collect(all)
}

//go:noinline
func work(all *sync.WaitGroup, i int) {
	if i == 0 && !plant.Fixed() {
		return // a bad item
	}
	all.Done()
}

//go:noinline
func collect(all *sync.WaitGroup) { all.Wait() }
