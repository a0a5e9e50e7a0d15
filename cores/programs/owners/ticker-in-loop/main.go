// Command ticker-in-loop is a feed handler that makes tickers and timers in its loops.
//
// At each reconnect it makes a ticker for heartbeats and forgets the one before; for each message
// it waits with time.After, which outlives the wait by an hour. With the timers that Go has had
// until 1.22 (and later where go.mod is old, or GODEBUG=asynctimerchan=1) all of them stay in the
// heaps of the Ps. With those of 1.23 the collector frees what nobody can read.
package main

import (
	"context"
	"flag"
	"os"
	"time"

	"spanwalk/programs/internal/truth"
)

const (
	messages  = 500
	sessions  = 50
	stateSize = 4 << 10
	heartbeat = 20
	stopped   = 15
	polled    = 12
	calls     = 8
	sleepers  = 5
	pipes     = 3
	renewals  = 10

	decade = 10 * 365 * 24 * time.Hour
)

type session struct {
	id    int
	state []byte
}

var (
	fixed = flag.Bool("fixed", false, "the repaired program")
	count = flag.Int("count", 300, "reconnects")

	tickers  []*time.Ticker
	polls    []*time.Ticker
	timers   []*time.Timer
	contexts []context.Context
	cancels  []context.CancelFunc
	files    []*os.File
)

func main() {
	p := truth.Start("ticker-in-loop")
	crew := truth.NewCrew()

	for i := 0; i < *count; i++ {
		reconnect()
	}
	consume()
	for i := 0; i < sessions; i++ {
		open(i)
	}
	crew.Go(heartbeat, func(int) { beat(crew) })
	crew.Go(sleepers, func(int) {
		crew.Ready()
		time.Sleep(3 * time.Hour)
	})
	keep()
	openPipes()
	crew.Wait()
	state(p)
	p.Hold()
}

// state: channels of timers have a buffer unless they are those of 1.23.
func state(p *truth.Program) {
	lost, waits := *count, messages
	if *fixed || cap(polls[0].C) == 0 {
		lost, waits = 0, 0
	}
	p.Int("abandoned_tickers", int64(lost))
	p.Int("abandoned_timers", int64(waits))
	p.Int("session_timers", sessions)
	p.Int("session_bytes", sessions*stateSize)
	p.Int("heartbeat_tickers", heartbeat)
	p.Int("stopped_tickers", stopped)
	p.Int("polled_tickers", polled)
	p.Int("context_timers", calls)
	p.Int("sleep_timers", sleepers)
	p.Int("deadline_timers", pipes)
	p.Int("renewal_timers", renewals)
}

// ---- the faults ----

//go:noinline
func reconnect() {
	t := time.NewTicker(time.Minute)
	if *fixed {
		defer t.Stop()
	}
	handshake(t.C)
}

//go:noinline
func handshake(beat <-chan time.Time) bool {
	select {
	case <-beat:
		return true
	default:
		return false
	}
}

func consume() {
	feed := make(chan int, 1)
	var idle *time.Timer
	for i := 0; i < messages; i++ {
		feed <- i
		if *fixed {
			idle = next(feed, idle)
		} else {
			receive(feed)
		}
	}
	if idle != nil {
		idle.Stop()
	}
}

//go:noinline
func receive(feed <-chan int) bool {
	select {
	case <-feed:
		return true
	case <-time.After(time.Hour):
		return false
	}
}

// next waits with the one timer of the loop.
//
//go:noinline
func next(feed <-chan int, idle *time.Timer) *time.Timer {
	if idle == nil {
		idle = time.NewTimer(time.Hour)
	} else {
		idle.Reset(time.Hour)
	}
	select {
	case <-feed:
	case <-idle.C:
	}
	idle.Stop()
	return idle
}

// ---- those that are as they should be ----

// open makes a session that its timer alone holds.
//
//go:noinline
func open(i int) {
	s := &session{id: i, state: make([]byte, stateSize)}
	time.AfterFunc(2*time.Hour, func() { s.expire() })
}

func (s *session) expire() { s.state = nil }

func beat(crew *truth.Crew) {
	t := time.NewTicker(30 * time.Minute)
	defer t.Stop()
	crew.Ready()
	for range t.C {
		s := &session{}
		s.expire()
	}
}

// keep makes what somebody can still stop or read.
func keep() {
	for i := 0; i < stopped; i++ {
		t := time.NewTicker(45 * time.Minute)
		t.Stop()
		tickers = append(tickers, t)
	}
	for i := 0; i < polled; i++ {
		polls = append(polls, time.NewTicker(20*time.Minute))
	}
	for i := 0; i < renewals; i++ {
		timers = append(timers, time.NewTimer(decade))
	}
	for i := 0; i < calls; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Hour)
		contexts = append(contexts, ctx)
		cancels = append(cancels, cancel)
	}
}

// openPipes sets deadlines, which are timers of the network poller, and takes as many back.
func openPipes() {
	for i := 0; i < pipes; i++ {
		r, w, err := os.Pipe()
		if err == nil {
			err = r.SetReadDeadline(time.Now().Add(5 * time.Hour))
		}
		if err != nil {
			panic(err)
		}
		err = w.SetWriteDeadline(time.Now().Add(6 * time.Hour))
		if err == nil {
			err = w.SetWriteDeadline(time.Time{})
		}
		if err != nil {
			panic(err)
		}
		files = append(files, r, w)
	}
}
