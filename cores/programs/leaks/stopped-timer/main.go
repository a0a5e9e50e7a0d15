// Command stopped-timer leaks goroutines that wait for timers which will not fire: one that was
// stopped, and one that has fired and been read.
package main

import (
	"time"

	"spanwalk/programs/leaks/plant"
)

var timers []*time.Timer

func main() {
	p := plant.Start("stopped-timer")
	p.Leak(func(int) { go again(time.NewTimer(0)) },
		plant.Group{Function: "main.again", Wait: "chan receive", On: "chan time.Time"})
	p.Leak(func(int) {
		t := time.NewTimer(delay())
		if !plant.Fixed() {
			t.Stop()
		}
		go expire(t)
	}, plant.Group{Function: "main.expire", Wait: "chan receive", On: "chan time.Time"})
	// The runtime wakes these.
	p.Healthy(func(int) { go expire(time.NewTimer(time.Hour)) },
		plant.Group{Function: "main.expire", Wait: "chan receive", On: "chan time.Time"})
	// These are stopped, but can be reset.
	p.Healthy(func(int) {
		t := time.NewTimer(time.Hour)
		t.Stop()
		timers = append(timers, t)
		go expire(t)
	}, plant.Group{Function: "main.expire", Wait: "chan receive", On: "chan time.Time"})
	p.Hold()
}

func delay() time.Duration {
	if plant.Fixed() {
		return time.Millisecond
	}
	return time.Hour
}

// again reads a timer twice, as code does that drains the channel after a Stop that came late.
//
//go:noinline
func again(t *time.Timer) {
	<-t.C
	if plant.Fixed() {
		t.Reset(time.Millisecond)
	}
	<-t.C
}

//go:noinline
func expire(t *time.Timer) time.Time { return <-t.C }
