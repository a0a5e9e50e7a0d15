// Command select-nothing leaks goroutines that end in select {}. Its main goroutine stands there
// too, as many servers' does on purpose: it is no leak, but what only it refers to cannot be
// used by anybody.
package main

import (
	"os"

	"spanwalk/programs/leaks/plant"
)

var open = make(chan int)

func main() {
	p := plant.Start("select-nothing")
	p.Leak(func(int) { go forever() },
		plant.Group{Function: "main.forever", Wait: "select (no cases)", On: "forever"})
	last := make(chan int)
	// Never runs, and holds the channel as long as main stands.
	defer func() { last <- 1 }()
	p.Leak(func(int) { go receive(last) },
		plant.Group{Function: "main.receive", Wait: "chan receive", On: "chan int"})
	p.Healthy(func(int) { go receive(open) },
		plant.Group{Function: "main.receive", Wait: "chan receive", On: "chan int"})
	go hold(p)
	select {}
}

func hold(p *plant.Program) {
	p.Hold()
	os.Exit(0)
}

//go:noinline
func forever() {
	if plant.Fixed() {
		return
	}
	select {}
}

//go:noinline
func receive(c chan int) {
	if plant.Fixed() && c != open {
		return
	}
	<-c
}
