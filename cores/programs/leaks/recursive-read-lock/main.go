// Command recursive-read-lock leaks goroutines that take a read lock which they hold already,
// after a writer has asked for the lock: each waits for the other.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

type table struct {
	mu   sync.RWMutex
	rows map[int]string
}

var shared table // main unlocks it

func main() {
	p := plant.Start("recursive-read-lock")
	groups := []plant.Group{
		{Function: "main.describe", Wait: "sync.RWMutex.RLock", On: "sync.RWMutex"},
		{Function: "main.replace", Wait: "sync.RWMutex.Lock", On: "sync.RWMutex"},
	}
	p.Leak(func(i int) {
		t := new(table)
		locked, announced := make(chan struct{}), make(chan struct{})
		go describe(t, i, locked, announced)
		<-locked
		go replace(t, i)
		for !plant.Fixed() && t.mu.TryRLock() {
			t.mu.RUnlock()
		}
		close(announced)
	}, groups...)
	shared.mu.RLock()
	p.HealthyN(1, func(i int) { go replace(&shared, i) }, groups[1])
	p.Hold()
	shared.mu.RUnlock()
}

//go:noinline
func describe(t *table, row int, locked, announced chan struct{}) string {
	t.mu.RLock()
	close(locked)
	<-announced
	if plant.Fixed() {
		defer t.mu.RUnlock()
		return "row " + t.rows[row]
	}
	defer t.mu.RUnlock()
	return "row " + lookup(t, row)
}

//go:noinline
func lookup(t *table, row int) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows[row]
}

//go:noinline
func replace(t *table, row int) {
	t.mu.Lock()
	t.rows = map[int]string{row: "row"}
	t.mu.Unlock()
}
