// Command ticker-never-stopped leaks goroutines that range over the channel of a ticker. While
// the ticker runs it wakes them: they are suspects. When somebody has stopped it, which does not
// close its channel, they can never run again.
package main

import (
	"time"

	"spanwalk/programs/leaks/plant"
)

const running = 200 // timers beside; the runtime may keep a stopped one among them

var (
	quits []chan struct{}
	beats int
)

func main() {
	p := plant.Start("ticker-never-stopped")
	for i := 0; i < running; i++ {
		time.AfterFunc(time.Hour, func() { beats++ })
	}
	ended := plant.Group{Function: "main.poll", Wait: "chan receive", On: "chan time.Time"}
	p.Suspect(func(int) { poller() }, ended)
	p.Leak(func(int) { // stopped before anybody waits
		t := poller()
		t.Stop()
	}, ended)
	p.Leak(func(int) { // stopped when the goroutine waits already, most of the time
		t := poller()
		time.Sleep(2 * time.Millisecond)
		t.Stop()
	}, ended)
	p.Healthy(func(int) {
		quit := make(chan struct{})
		quits = append(quits, quit)
		go pollUntil(time.NewTicker(time.Hour), quit)
	}, plant.Group{Function: "main.pollUntil", Wait: "select", On: "select"})
	p.Hold()
}

func poller() *time.Ticker {
	t := time.NewTicker(time.Hour)
	if !plant.Fixed() {
		go poll(t)
		return t
	}
	quit := make(chan struct{})
	go pollUntil(t, quit)
	close(quit)
	return t
}

//go:noinline
func poll(t *time.Ticker) {
	for range t.C {
		beats++
	}
}

//go:noinline
func pollUntil(t *time.Ticker, quit <-chan struct{}) {
	defer t.Stop()
	for {
		select {
		case <-t.C:
			beats++
		case <-quit:
			return
		}
	}
}
