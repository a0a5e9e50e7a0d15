// Command forgotten-cancel leaks goroutines that wait for the end of contexts whose cancel
// functions are lost.
package main

import (
	"context"
	"time"

	"spanwalk/programs/leaks/plant"
)

var (
	cancels      []context.CancelFunc
	server, stop = context.WithCancel(context.Background())
)

func main() {
	p := plant.Start("forgotten-cancel")
	p.Leak(func(int) { drop(subscribe(context.Background())) },
		plant.Group{Function: "main.watch", Wait: "chan receive", On: "chan struct {}"})
	p.Leak(func(int) { drop(accept(context.Background())) },
		plant.Group{Function: "main.serve", Wait: "select", On: "select"})
	// Somebody has the function.
	p.Healthy(func(int) { cancels = append(cancels, subscribe(context.Background())) },
		plant.Group{Function: "main.watch", Wait: "chan receive", On: "chan struct {}"})
	// The function is lost, but the parent ends its children.
	p.Healthy(func(int) { _ = accept(server) },
		plant.Group{Function: "main.serve", Wait: "select", On: "select"})
	// The function is lost, but time ends the context.
	p.Healthy(func(int) { _ = expire() },
		plant.Group{Function: "main.watch", Wait: "chan receive", On: "chan struct {}"})
	p.Hold()
	stop()
}

// drop forgets the function, or calls it, which is the repair.
func drop(cancel context.CancelFunc) {
	if plant.Fixed() {
		cancel()
	}
}

func subscribe(parent context.Context) context.CancelFunc {
	ctx, cancel := context.WithCancel(parent)
	go watch(ctx)
	return cancel
}

//go:noinline
func watch(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func accept(parent context.Context) context.CancelFunc {
	ctx, cancel := context.WithCancel(parent)
	go serve(ctx, make(chan int))
	return cancel
}

//go:noinline
func serve(ctx context.Context, requests <-chan int) (sum int) {
	for {
		select {
		case n := <-requests:
			sum += n
		case <-ctx.Done():
			return sum
		}
	}
}

func expire() context.CancelFunc {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	go watch(ctx)
	return cancel
}
