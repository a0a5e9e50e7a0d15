// Command dead-select leaks goroutines in a select whose channels nobody else has.
package main

import (
	"reflect"

	"spanwalk/programs/leaks/plant"
)

type event struct{ name string }

var shutdown = make(chan struct{})

func main() {
	p := plant.Start("dead-select")
	choose4ways := plant.Group{Function: "main.choose4", Wait: "select", On: "select"}
	choose2ways := plant.Group{Function: "main.choose2", Wait: "select", On: "select"}
	p.Leak(func(int) {
		quit := make(chan struct{})
		go choose4(make(chan *event), make(chan *event, 2), nil, quit)
		if plant.Fixed() {
			close(quit)
		}
	}, choose4ways)
	p.Leak(func(int) {
		quit := make(chan struct{})
		go choose2(make(chan *event), quit)
		if plant.Fixed() {
			close(quit)
		}
	}, choose2ways)
	anyWay := plant.Group{Function: "main.chooseAny", Wait: "select", On: "select"}
	p.Leak(func(int) {
		quit := make(chan struct{})
		go chooseAny(make(chan *event), make(chan *event), quit)
		if plant.Fixed() {
			close(quit)
		}
	}, anyWay)
	// One channel of several is enough.
	p.Healthy(func(int) { go choose4(make(chan *event), make(chan *event), nil, shutdown) }, choose4ways)
	p.Healthy(func(int) { go choose2(make(chan *event), shutdown) }, choose2ways)
	p.Healthy(func(int) { go chooseAny(make(chan *event), shutdown) }, anyWay)
	p.Hold()
}

//go:noinline
func choose4(in, other <-chan *event, out chan<- *event, quit <-chan struct{}) *event {
	select {
	case e := <-in:
		return e
	case e := <-other:
		return e
	case out <- &event{"mine"}:
		return nil
	case <-quit:
		return nil
	}
}

//go:noinline
func choose2(out chan<- *event, quit <-chan struct{}) {
	select {
	case out <- &event{"mine"}:
	case <-quit:
	}
}

// chooseAny selects by reflect: the cases are on the heap.
//
//go:noinline
func chooseAny(channels ...any) reflect.Value {
	var cases []reflect.SelectCase
	for _, c := range channels {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)})
	}
	_, value, _ := reflect.Select(cases)
	return value
}
