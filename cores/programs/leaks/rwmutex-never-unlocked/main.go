// Command rwmutex-never-unlocked leaks writers that wait for a reader which has returned without
// RUnlock, and the readers that wait behind them.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

const readers = 2

type table struct {
	mu   sync.RWMutex
	rows map[int]string
}

var shared table // main unlocks it

func main() {
	p := plant.Start("rwmutex-never-unlocked")
	groups := []plant.Group{
		{Function: "main.replace", Wait: "sync.RWMutex.Lock", On: "sync.RWMutex"},
		{Function: "main.lookup", Wait: "sync.RWMutex.RLock", On: "sync.RWMutex", Each: readers},
	}
	p.Leak(func(i int) {
		t := new(table)
		_ = t.has(i)
		crowd(t, i)
	}, groups...)
	shared.mu.RLock()
	p.HealthyN(1, func(i int) { crowd(&shared, i) }, groups...)
	p.Hold()
	shared.mu.RUnlock()
}

// has forgets to unlock what it does not find.
//
//go:noinline
func (t *table) has(row int) bool {
	t.mu.RLock()
	if _, ok := t.rows[row]; !ok && !plant.Fixed() {
		return false
	}
	t.mu.RUnlock()
	return true
}

// crowd starts a writer, and readers once it has announced itself or is done.
func crowd(t *table, i int) {
	done := make(chan struct{})
	go replace(t, i, done)
	for t.mu.TryRLock() {
		t.mu.RUnlock()
		select {
		case <-done:
			return
		default:
		}
	}
	for k := 0; k < readers; k++ {
		go lookup(t, k)
	}
}

//go:noinline
func replace(t *table, row int, done chan struct{}) {
	t.mu.Lock()
	t.rows = map[int]string{row: "row"}
	t.mu.Unlock()
	close(done)
}

//go:noinline
func lookup(t *table, row int) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows[row]
}
