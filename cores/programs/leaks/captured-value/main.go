// Command captured-value leaks goroutines that send a value which their closure has captured
// beside the channel: what the runtime keeps of the send points into the closure. A constant, or
// a value made on the spot, is sent from the goroutine's stack.
package main

import "spanwalk/programs/leaks/plant"

type result struct{ body [512]byte }

var (
	outbox  = make(chan int)
	results = make(chan *result)
)

func main() {
	p := plant.Start("captured-value")
	number := plant.Group{Function: "main.captured.func1", Wait: "chan send", On: "chan int"}
	pointer := plant.Group{Function: "main.capturedPointer.func1", Wait: "chan send",
		On: "chan *main.result", Holds: 512}
	constant := plant.Group{Function: "main.constantly.func1", Wait: "chan send", On: "chan int"}
	p.Leak(func(i int) { captured(make(chan int, room()), i) }, number)
	p.Leak(func(int) { capturedPointer(make(chan *result, room()), new(result)) }, pointer)
	p.Leak(func(int) { constantly(make(chan int, room())) }, constant)
	p.Healthy(func(i int) { captured(outbox, i) }, number)
	p.Healthy(func(int) { capturedPointer(results, new(result)) }, pointer)
	p.Healthy(func(int) { constantly(outbox) }, constant)
	p.Hold()
}

func room() int {
	if plant.Fixed() {
		return 1
	}
	return 0
}

//go:noinline
func captured(c chan int, v int) {
	go func() { c <- v }()
}

//go:noinline
func capturedPointer(c chan *result, v *result) {
	go func() { c <- v }()
}

//go:noinline
func constantly(c chan int) {
	go func() { c <- 1 }()
}
