// Command channels holds memory in channels: in buffers, in the hands of
// blocked senders, receivers and selects, in timers, and in the other things
// goroutines wait for.
package main

import (
	"fmt"
	"strings"

	"spanwalk/programs/internal/truth"
)

type message struct {
	id   int
	body string
	next *message
}

// parcel is too large for a register and holds pointers in its middle.
type parcel struct {
	head  [10]int
	inner *message
	label string
	tail  [9]int
}

const (
	queued  = 40 // in each buffer
	blocked = 20 // goroutines of each kind
)

var (
	integers   chan int
	messages   chan *message
	parcels    chan parcel
	anything   chan any
	signals    chan struct{}
	closed     chan *message
	replies    chan chan *message
	unbuffered chan *message
	crowded    chan *message
	starved    chan *message
	choices    [3]chan *message
)

var made int

func newMessage(i int) *message {
	made++
	return &message{id: i, body: strings.Clone(fmt.Sprintf("message number %012d", i))}
}

func main() {
	p := truth.Start("channels")
	buffers(p)
	crew := truth.NewCrew()
	senders(p, crew)
	receivers(p, crew)
	selects(p, crew)
	clocks(p, crew)
	locks(p, crew)
	lost(p, crew)
	p.Type("main.message", made)
	p.Int("blocked_of_each_kind", blocked)
	p.Hold()
}

// wrap fills a channel so that its queue runs over the end of the buffer.
func wrap[T any](c chan T, value func(i int) T) {
	for i := 0; i < cap(c)-queued/2; i++ {
		c <- value(i)
	}
	for i := 0; i < cap(c)-queued/2; i++ {
		<-c
	}
	made = 0
	for i := 0; i < queued; i++ {
		c <- value(i)
	}
}

func addBuffer[T any](p *truth.Program, name string, c *chan T, size int, value func(i int) T) {
	before := made
	p.Add(truth.Root{Name: "main." + name, Type: fmt.Sprintf("%T", *c), Count: queued,
		Make: func() {
			*c = make(chan T, size)
			wrap(*c, value)
			made += before
		},
		Drop: func() { *c = nil }})
}

func buffers(p *truth.Program) {
	addBuffer(p, "integers", &integers, 100, func(i int) int { return i })
	addBuffer(p, "messages", &messages, 64, newMessage)
	addBuffer(p, "parcels", &parcels, 50, func(i int) parcel {
		return parcel{inner: newMessage(i), label: strings.Clone(fmt.Sprintf("parcel number %08d", i))}
	})
	addBuffer(p, "anything", &anything, 48, func(i int) any { return newMessage(i) })
	addBuffer(p, "signals", &signals, 1000, func(int) struct{} { return struct{}{} })
	addBuffer(p, "replies", &replies, 60, func(i int) chan *message {
		c := make(chan *message, 1)
		c <- newMessage(i)
		return c
	})
	addBuffer(p, "closed", &closed, 64, newMessage)
	close(closed)
}

// senders hold what they send on their stacks: no channel has it yet.
func senders(p *truth.Program, crew *truth.Crew) {
	p.Add(truth.Root{Name: "goroutine main.send", Type: "*main.message", Kind: "stack", Count: 2 * blocked,
		Make: func() {
			unbuffered = make(chan *message)
			crowded = make(chan *message, 2)
			crowded <- newMessage(1)
			crowded <- newMessage(2)
			crew.Go(blocked, func(i int) { send(crew, unbuffered, i) })
			crew.Go(blocked, func(i int) { send(crew, crowded, i) })
			crew.Wait()
		}})
}

//go:noinline
func send(crew *truth.Crew, c chan *message, i int) {
	m := newLocked(i)
	crew.Ready()
	c <- m
}

func receivers(p *truth.Program, crew *truth.Crew) {
	p.Add(truth.Root{Name: "goroutine main.receive", Type: "*main.message", Kind: "stack", Count: blocked,
		Make: func() {
			starved = make(chan *message, 8)
			crew.Go(blocked, func(i int) { receive(crew, starved, i) })
			crew.Wait()
		}})
}

//go:noinline
func receive(crew *truth.Crew, c chan *message, i int) *message {
	mine := newLocked(i)
	crew.Ready()
	other := <-c
	mine.next = other
	return mine
}

func selects(p *truth.Program, crew *truth.Crew) {
	p.Add(truth.Root{Name: "goroutine main.choose", Type: "*main.message", Kind: "stack", Count: 2 * blocked,
		Make: func() {
			for i := range choices {
				choices[i] = make(chan *message)
			}
			crew.Go(blocked, func(i int) { choose(crew, i) })
			crew.Wait()
		}})
}

//go:noinline
func choose(crew *truth.Crew, i int) *message {
	offer, mine := newLocked(i), newLocked(i)
	crew.Ready()
	select {
	case m := <-choices[0]:
		mine.next = m
	case choices[1] <- offer:
	case m := <-choices[2]:
		return m
	case <-crew.Done:
	}
	return mine
}
