package main

import (
	"sync"
	"time"

	"spanwalk/programs/internal/truth"
)

const (
	timerCount = 100
	afterCount = 50
	tickCount  = 20
	lostCount  = 10
)

var (
	timers  []*time.Timer
	tickers []*time.Ticker
	afters  []*time.Timer
	mutex   sync.Mutex
	rwMutex sync.RWMutex
	cond    = sync.NewCond(&sync.Mutex{})
	group   sync.WaitGroup
)

var counting sync.Mutex

// newLocked is newMessage for many goroutines.
func newLocked(i int) *message {
	counting.Lock()
	defer counting.Unlock()
	return newMessage(i)
}

func clocks(p *truth.Program, crew *truth.Crew) {
	p.Add(truth.Root{Name: "main.timers", Type: "[]*time.Timer", Count: timerCount,
		Make: func() {
			for i := 0; i < timerCount; i++ {
				timers = append(timers, time.NewTimer(time.Hour))
			}
		}})
	p.Add(truth.Root{Name: "main.tickers", Type: "[]*time.Ticker", Count: tickCount,
		Make: func() {
			for i := 0; i < tickCount; i++ {
				tickers = append(tickers, time.NewTicker(time.Hour))
			}
		}})
	p.Add(truth.Root{Name: "main.afters", Type: "[]*time.Timer", Count: afterCount,
		Make: func() {
			for i := 0; i < afterCount; i++ {
				m := newMessage(i)
				afters = append(afters, time.AfterFunc(time.Hour, func() { m.next = nil }))
			}
		}})
	// Nobody but the runtime's timer heap knows these.
	p.Add(truth.Root{Name: "runtime timers", Type: "*main.message", Kind: "runtime", Count: afterCount,
		Make: func() {
			for i := 0; i < afterCount; i++ {
				m := newMessage(i)
				time.AfterFunc(time.Hour, func() { m.next = nil })
			}
		}})
	p.Add(truth.Root{Name: "goroutine main.sleep", Type: "*main.message", Kind: "stack", Count: 2 * blocked,
		Make: func() {
			crew.Go(blocked, func(i int) { sleep(crew, i) })
			crew.Go(blocked, func(i int) { tick(crew, i) })
			crew.Wait()
		}})
}

//go:noinline
func sleep(crew *truth.Crew, i int) *message {
	mine := newLocked(i)
	crew.Ready()
	time.Sleep(time.Hour)
	return mine
}

//go:noinline
func tick(crew *truth.Crew, i int) *message {
	mine := newLocked(i)
	crew.Ready()
	<-time.After(time.Hour)
	return mine
}

// locks parks goroutines on everything else they can wait for.
func locks(p *truth.Program, crew *truth.Crew) {
	p.Add(truth.Root{Name: "goroutine main.locks", Type: "*main.message", Kind: "stack", Count: 7 * 5,
		Make: func() {
			mutex.Lock()
			rwMutex.Lock()
			group.Add(1)
			never := (chan *message)(nil)
			for _, wait := range []func(){
				mutex.Lock, rwMutex.Lock, rwMutex.RLock, group.Wait,
				func() { cond.L.Lock(); cond.Wait(); cond.L.Unlock() },
				func() { <-never },
				func() { select {} },
			} {
				wait := wait // a variable of the loop until Go 1.21
				crew.Go(5, func(i int) { park(crew, i, wait) })
			}
			crew.Wait()
		}})
}

//go:noinline
func park(crew *truth.Crew, i int, wait func()) *message {
	mine := newLocked(i)
	crew.Ready()
	wait()
	return mine
}

// lost starts goroutines that can never run again: each waits on a channel
// that nothing else reaches.
func lost(p *truth.Program, crew *truth.Crew) {
	p.Add(truth.Root{Name: "goroutine main.forgotten", Type: "*main.message", Kind: "stack", Count: lostCount,
		Make: func() {
			crew.Go(lostCount, func(i int) { forgotten(crew, make(chan *message), i) })
			crew.Wait()
		}})
	p.Int("leaked_goroutines", lostCount)
}

//go:noinline
func forgotten(crew *truth.Crew, c chan *message, i int) *message {
	mine := newLocked(i)
	crew.Ready()
	mine.next = <-c
	return mine
}
