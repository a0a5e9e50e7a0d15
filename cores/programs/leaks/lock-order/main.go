// Command lock-order leaks pairs of goroutines that take two mutexes in opposite order.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

type account struct {
	mu      sync.Mutex
	balance int
}

var here, there account // main unlocks them

func main() {
	p := plant.Start("lock-order")
	groups := []plant.Group{
		{Function: "main.forward", Wait: "sync.Mutex.Lock", On: "sync.Mutex"},
		{Function: "main.backward", Wait: "sync.Mutex.Lock", On: "sync.Mutex"},
	}
	p.Leak(func(int) { transfer(new(account), new(account)) }, groups...)
	here.mu.Lock()
	there.mu.Lock()
	p.Healthy(func(int) {
		go forward(&here, &there, nil)
		go backward(&there, &here, nil)
	}, groups...)
	p.Hold()
	here.mu.Unlock()
	there.mu.Unlock()
}

// transfer lets both goroutines take their first lock before either asks for its second.
func transfer(a, b *account) {
	if plant.Fixed() {
		go forward(a, b, nil)
		go backward(a, b, nil)
		return
	}
	meet := new(sync.WaitGroup)
	meet.Add(2)
	go forward(a, b, meet)
	go backward(a, b, meet)
}

//go:noinline
func forward(a, b *account, meet *sync.WaitGroup) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pass(meet)
	b.mu.Lock()
	defer b.mu.Unlock()
	a.balance, b.balance = a.balance-1, b.balance+1
}

//go:noinline
func backward(a, b *account, meet *sync.WaitGroup) {
	first, second := b, a
	if plant.Fixed() {
		first, second = a, b
	}
	first.mu.Lock()
	defer first.mu.Unlock()
	pass(meet)
	second.mu.Lock()
	defer second.mu.Unlock()
	a.balance, b.balance = a.balance+1, b.balance-1
}

func pass(meet *sync.WaitGroup) {
	if meet != nil {
		meet.Done()
		meet.Wait()
	}
}
