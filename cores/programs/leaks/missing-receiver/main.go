// Command missing-receiver leaks goroutines that send what nobody receives: of several replicas
// that are asked only the first answer is read, and a request that has timed out answers later.
package main

import (
	"context"
	"time"

	"spanwalk/programs/leaks/plant"
)

const (
	replicas  = 3
	bodyBytes = 4096
)

type answer struct {
	from int
	body [bodyBytes]byte
}

var inbox = make(chan *answer)

func main() {
	p := plant.Start("missing-receiver")
	p.Leak(func(int) { first() },
		plant.Group{Function: "main.ask", Wait: "chan send", On: "chan *main.answer",
			Each: replicas - 1, Holds: bodyBytes})
	p.Leak(func(int) { timeOut() },
		plant.Group{Function: "main.fetch.func1", Wait: "chan send", On: "chan *main.answer",
			Holds: bodyBytes})
	p.Healthy(func(i int) { go ask(inbox, i) },
		plant.Group{Function: "main.ask", Wait: "chan send", On: "chan *main.answer"})
	p.Hold()
}

// room is the repair: an answer that nobody reads stays in the channel.
func room() int {
	if plant.Fixed() {
		return replicas
	}
	return 0
}

func first() *answer {
	answers := make(chan *answer, room())
	for i := 0; i < replicas; i++ {
		go ask(answers, i)
	}
	return <-answers
}

//go:noinline
func ask(answers chan<- *answer, from int) {
	answers <- &answer{from: from}
}

// timeOut fetches until a fetch has timed out: on a busy machine the answer may come first.
func timeOut() {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, err := fetch(ctx)
		cancel()
		if err != nil {
			return
		}
	}
}

//go:noinline
func fetch(ctx context.Context) (*answer, error) {
	done := make(chan *answer, room())
	go func() { done <- slowly() }()
	select {
	case a := <-done:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

//go:noinline
func slowly() *answer {
	time.Sleep(20 * time.Millisecond)
	return &answer{}
}
