// Command mutex-never-unlocked leaks goroutines that wait for a mutex whose holder has returned
// from an error without unlocking it.
package main

import (
	"errors"
	"sync"

	"spanwalk/programs/leaks/plant"
)

type account struct {
	balance int
	mu      sync.Mutex
	history [64]int
}

var (
	errFunds = errors.New("insufficient funds")
	vault    account // main unlocks it
)

func main() {
	p := plant.Start("mutex-never-unlocked")
	mutex := plant.Group{Function: "main.deposit", Wait: "sync.Mutex.Lock", On: "sync.Mutex"}
	p.Leak(func(i int) {
		a := new(account)
		_ = a.withdraw(1 + i)
		go deposit(a, i)
	}, mutex)
	vault.mu.Lock()
	p.Healthy(func(i int) { go deposit(&vault, i) }, mutex)
	// Only main's own stack refers to this one.
	mine := new(account)
	mine.mu.Lock()
	p.Healthy(func(i int) { go deposit(mine, i) }, mutex)
	p.Hold()
	vault.mu.Unlock()
	mine.mu.Unlock()
}

//go:noinline
func (a *account) withdraw(n int) error {
	a.mu.Lock()
	if plant.Fixed() {
		defer a.mu.Unlock()
	}
	if n > a.balance {
		return errFunds
	}
	a.balance -= n
	if !plant.Fixed() {
		a.mu.Unlock()
	}
	return nil
}

//go:noinline
func deposit(a *account, n int) {
	a.mu.Lock()
	a.balance += n
	a.mu.Unlock()
}
