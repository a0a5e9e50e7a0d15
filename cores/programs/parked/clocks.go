package main

import (
	"context"
	"net"
	"sync"
	"time"

	"spanwalk/programs/leaks/plant"
)

// clocks are goroutines that time wakes.
func clocks(p *plant.Program) {
	p.HealthyN(few, func(int) { go nap() },
		plant.Group{Function: "main.nap", Wait: "sleep", On: "sleep"})
	p.HealthyN(few, func(int) { go every(time.NewTicker(time.Hour)) },
		plant.Group{Function: "main.every", Wait: "chan receive", On: "chan time.Time"})
	p.HealthyN(few, func(int) { go after() },
		plant.Group{Function: "main.after", Wait: "chan receive", On: "chan time.Time"})
	// Only the function of a timer has the channel.
	p.HealthyN(few, func(int) {
		c := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(c) })
		go afterFunc(c)
	}, plant.Group{Function: "main.afterFunc", Wait: "chan receive", On: "chan struct {}"})
}

//go:noinline
func nap() { time.Sleep(time.Hour) }

//go:noinline
func every(t *time.Ticker) {
	for range t.C {
		events.Broadcast()
	}
}

//go:noinline
func after() time.Time { return <-time.After(time.Hour) }

//go:noinline
func afterFunc(c <-chan struct{}) { <-c }

// contexts are goroutines that wait for the end of a context.
func contexts(p *plant.Program) {
	p.HealthyN(few, func(i int) {
		ctx, cancel := context.WithCancel(context.Background())
		table[i] = cancel
		go serve(ctx)
	}, plant.Group{Function: "main.serve", Wait: "chan receive", On: "chan struct {}"})
	parent, cancel := context.WithCancel(context.Background())
	table[-1] = cancel
	p.HealthyN(few, func(i int) {
		ctx, cancel := context.WithTimeout(parent, time.Hour)
		go serveUntil(context.WithValue(ctx, requests, i), cancel)
	}, plant.Group{Function: "main.serveUntil", Wait: "select", On: "select"})
}

//go:noinline
func serve(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

//go:noinline
func serveUntil(ctx context.Context, cancel context.CancelFunc) error {
	defer cancel()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-make(chan int):
		return nil
	}
}

// locks are goroutines that wait for what package sync offers, held by goroutines that sleep.
func locks(p *plant.Program) {
	p.HealthyN(few, func(int) {
		mu := new(sync.Mutex)
		mu.Lock()
		go unlock(mu)
		go lock(mu)
		go lock(mu)
	},
		plant.Group{Function: "main.unlock", Wait: "sleep", On: "sleep"},
		plant.Group{Function: "main.lock", Wait: "sync.Mutex.Lock", On: "sync.Mutex", Each: 2})
	p.HealthyN(few, func(int) {
		mu := new(sync.RWMutex)
		mu.Lock()
		go unlockWriter(mu)
		go lockReader(mu)
	},
		plant.Group{Function: "main.unlockWriter", Wait: "sleep", On: "sleep"},
		plant.Group{Function: "main.lockReader", Wait: "sync.RWMutex.RLock", On: "sync.RWMutex"})
	p.HealthyN(few, func(int) {
		cond := sync.NewCond(new(sync.Mutex))
		go signalLater(cond)
		go awaitTurn(cond)
	},
		plant.Group{Function: "main.signalLater", Wait: "sleep", On: "sleep"},
		plant.Group{Function: "main.awaitTurn", Wait: "sync.Cond.Wait", On: "sync.Cond"})
	p.HealthyN(few, func(int) { go awaitEvent() },
		plant.Group{Function: "main.awaitEvent", Wait: "sync.Cond.Wait", On: "sync.Cond"})
	p.HealthyN(few, func(int) {
		all := new(sync.WaitGroup)
		all.Add(2)
		go work(all)
		go work(all)
		go awaitAll(all)
	},
		plant.Group{Function: "main.work", Wait: "sleep", On: "sleep", Each: 2},
		plant.Group{Function: "main.awaitAll", Wait: "sync.WaitGroup.Wait", On: "sync.WaitGroup"})
	p.HealthyN(few, func(int) {
		once, inside := new(sync.Once), make(chan struct{})
		go initialise(once, inside)
		<-inside
		go awaitOnce(once)
	},
		plant.Group{Function: "main.initialise", Wait: "sleep", On: "sleep"},
		plant.Group{Function: "main.awaitOnce", Wait: "sync.Mutex.Lock", On: "sync.Mutex"})
}

//go:noinline
func unlock(mu *sync.Mutex) {
	time.Sleep(time.Hour)
	mu.Unlock()
}

//go:noinline
func lock(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

//go:noinline
func unlockWriter(mu *sync.RWMutex) {
	time.Sleep(time.Hour)
	mu.Unlock()
}

//go:noinline
func lockReader(mu *sync.RWMutex) {
	mu.RLock()
	defer mu.RUnlock()
}

//go:noinline
func signalLater(cond *sync.Cond) {
	time.Sleep(time.Hour)
	cond.Signal()
}

//go:noinline
func awaitTurn(cond *sync.Cond) {
	cond.L.Lock()
	defer cond.L.Unlock()
	cond.Wait()
}

//go:noinline
func awaitEvent() {
	events.L.Lock()
	defer events.L.Unlock()
	events.Wait()
}

//go:noinline
func work(all *sync.WaitGroup) {
	defer all.Done()
	time.Sleep(time.Hour)
}

//go:noinline
func awaitAll(all *sync.WaitGroup) { all.Wait() }

//go:noinline
func initialise(once *sync.Once, inside chan struct{}) {
	once.Do(func() {
		close(inside)
		time.Sleep(time.Hour)
	})
}

//go:noinline
func awaitOnce(once *sync.Once) { once.Do(nap) }

// connections are goroutines that wait for the network.
func connections(p *plant.Program) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	p.HealthyN(few, func(int) {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		accepted, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		conns = append(conns, conn)
		go readConn(accepted)
	}, plant.Group{Function: "main.readConn", Wait: "IO wait", On: "IO wait"})
	// One goroutine reads a connection at a time.
	p.HealthyN(few, func(i int) { go readBack(conns[i]) },
		plant.Group{Function: "main.readBack", Wait: "IO wait", On: "IO wait"})
	p.HealthyN(few, func(i int) { go readBehind(conns[i]) },
		plant.Group{Function: "main.readBehind", Wait: "semacquire", On: "semaphore"})
	p.HealthyN(1, func(int) { go accept(listener) },
		plant.Group{Function: "main.accept", Wait: "IO wait", On: "IO wait"})
}

//go:noinline
func readConn(conn net.Conn) {
	defer conn.Close()
	var buffer [64]byte
	_, _ = conn.Read(buffer[:])
}

//go:noinline
func readBack(conn net.Conn) (n int) {
	n, _ = conn.Read(make([]byte, 64))
	return n
}

//go:noinline
func readBehind(conn net.Conn) (n int) {
	n, _ = conn.Read(make([]byte, 64))
	return n
}

//go:noinline
func accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		conn.Close()
	}
}
