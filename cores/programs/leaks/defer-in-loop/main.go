// Command defer-in-loop leaks goroutines that give back in deferred calls what they take in a
// loop, and wait in the loop for what they hold themselves.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

type account struct {
	mu      sync.Mutex
	balance int
}

type token struct{}

var (
	busy  account // main unlocks it
	slots = make(chan token, 2)
)

func main() {
	p := plant.Start("defer-in-loop")
	lock := plant.Group{Function: "main.audit", Wait: "sync.Mutex.Lock", On: "sync.Mutex"}
	slot := plant.Group{Function: "main.crawl", Wait: "chan send", On: "chan main.token"}
	p.Leak(func(int) {
		first, second := new(account), new(account)
		go audit([]*account{first, second, first})
	}, lock)
	p.Leak(func(int) { go crawl(make(chan token, 3), 5) }, slot)
	busy.mu.Lock()
	p.Healthy(func(int) { go audit([]*account{new(account), &busy}) }, lock)
	slots <- token{}
	slots <- token{}
	p.Healthy(func(int) { go crawl(slots, 1) }, slot)
	p.Hold()
	busy.mu.Unlock()
}

//go:noinline
func audit(accounts []*account) (sum int) {
	for _, a := range accounts {
		a.mu.Lock()
		if plant.Fixed() {
			sum += a.balance
			a.mu.Unlock()
			continue
		}
		defer a.mu.Unlock()
		sum += a.balance
	}
	return sum
}

//go:noinline
func crawl(slots chan token, pages int) {
	for i := 0; i < pages; i++ {
		slots <- token{}
		if plant.Fixed() {
			<-slots
			continue
		}
		defer func() { <-slots }()
	}
}
