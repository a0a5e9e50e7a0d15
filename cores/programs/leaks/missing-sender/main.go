// Command missing-sender leaks goroutines that wait for a reply which a dispatcher, on its way
// out of an error, forgets to send.
package main

import (
	"errors"

	"spanwalk/programs/leaks/plant"
)

type request struct {
	id    int
	reply chan error
}

var (
	errRefused = errors.New("refused")
	pending    []*request // of these the replies are still to come
)

func main() {
	p := plant.Start("missing-sender")
	p.Leak(func(i int) {
		r := newRequest(i)
		go await(r)
		dispatch(r)
	}, plant.Group{Function: "main.await", Wait: "chan receive", On: "chan error"})
	p.Healthy(func(i int) {
		r := newRequest(i)
		pending = append(pending, r)
		go await(r)
	}, plant.Group{Function: "main.await", Wait: "chan receive", On: "chan error"})
	p.Hold()
}

func newRequest(id int) *request { return &request{id: id, reply: make(chan error)} }

//go:noinline
func await(r *request) error { return <-r.reply }

//go:noinline
func dispatch(r *request) {
	if !plant.Fixed() && r.id >= 0 {
		return // no such service, and no reply
	}
	r.reply <- errRefused
}
