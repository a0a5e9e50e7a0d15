// Command nil-channel leaks goroutines that receive from and send to channels that were never
// made.
package main

import "spanwalk/programs/leaks/plant"

type service struct {
	events  chan int
	replies chan string
}

var live = service{make(chan int), make(chan string)}

func main() {
	p := plant.Start("nil-channel")
	p.Leak(func(int) { go listen(newService()) },
		plant.Group{Function: "main.listen", Wait: "chan receive (nil chan)", On: "nil chan"})
	p.Leak(func(int) { go reply(newService()) },
		plant.Group{Function: "main.reply", Wait: "chan send (nil chan)", On: "nil chan"})
	p.Healthy(func(int) { go listen(&live) },
		plant.Group{Function: "main.listen", Wait: "chan receive", On: "chan int"})
	p.Healthy(func(int) { go reply(&live) },
		plant.Group{Function: "main.reply", Wait: "chan send", On: "chan string"})
	p.Hold()
}

// newService forgets to make the channels.
//
//go:noinline
func newService() *service {
	s := new(service)
	if plant.Fixed() {
		s.events, s.replies = make(chan int), make(chan string, 1)
		close(s.events)
	}
	return s
}

//go:noinline
func listen(s *service) int { return <-s.events }

//go:noinline
func reply(s *service) { s.replies <- "done" }
