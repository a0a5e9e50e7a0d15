// Command missing-close leaks goroutines that range over a channel which its producer has
// stopped to fill, but not closed.
package main

import "spanwalk/programs/leaks/plant"

const (
	workers = 3
	items   = 10
)

type item struct{ id int }

var queue = make(chan *item, items)

func main() {
	p := plant.Start("missing-close")
	p.Leak(batch, plant.Group{Function: "main.consume", Wait: "chan receive",
		On: "chan *main.item", Each: workers})
	p.Healthy(func(int) { go consume(queue) },
		plant.Group{Function: "main.consume", Wait: "chan receive", On: "chan *main.item"})
	p.Hold()
}

func batch(int) {
	c := make(chan *item)
	for i := 0; i < workers; i++ {
		go consume(c)
	}
	for i := 0; i < items; i++ {
		c <- &item{i}
	}
	if plant.Fixed() {
		close(c)
	}
}

//go:noinline
func consume(c <-chan *item) int {
	sum := 0
	for it := range c {
		sum += it.id
	}
	return sum
}
