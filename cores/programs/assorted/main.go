// Command assorted has a few of everything: the smallest heap that takes every
// way through the analysis. Damaged copies of its core are analysed by the
// thousand, so it is small.
package main

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"

	"spanwalk/programs/internal/truth"
)

const few = 10

type node struct {
	next, parent *node
	name         string
	payload      any
}

// wide has a malloc header: more than 512 bytes, with pointers.
type wide struct {
	nodes [40]*node
	tail  [50]byte
	names []string
}

// vast has so many pointers that its mask is made on demand or by a program.
type vast struct {
	rows [3000]struct {
		n    *node
		at   int
		name string
	}
}

type walker interface{ walk() int }

func (n *node) walk() int { return len(n.name) }

type failure struct{ reason *node }

func (f failure) Error() string { return f.reason.name }

type bigKey [20]uint64

var (
	list     *node
	byName   map[string]*node
	byNumber map[int]int
	small    map[string]*node
	indirect map[bigKey][20]*node
	nested   map[string]map[int]string
	shared   sync.Map
	wides    []*wide
	one      *vast
	values   []any
	walkers  []walker
	errs     []error
	funcs    []func() int
	messages chan *node
	plain    chan [3]string
	tinies   []*uint16
	timers   []*time.Timer
	made     reflect.Value
	finals   []*node
	pool     sync.Pool
	nodes    int
)

func newNode(i int, next *node) *node {
	nodes++
	n := &node{next: next, name: strings.Clone(fmt.Sprintf("node number %012d", i))}
	if next != nil {
		next.parent = n
	}
	return n
}

func main() {
	p := truth.Start("assorted")
	structures()
	maps()
	references()
	finalizable()
	modern()
	queued()
	crew := truth.NewCrew()
	waiting(crew)
	p.Int("nodes", int64(nodes))
	p.Hold()
	runtime.KeepAlive(crew)
}

func structures() {
	for i := 0; i < 5*few; i++ {
		list = newNode(i, list)
	}
	for i := 0; i < few; i++ {
		w := &wide{names: []string{"a", strings.Repeat("b", 20+i)}}
		w.nodes[i] = newNode(i, nil)
		wides = append(wides, w)
		tinies = append(tinies, new(uint16))
	}
	one = new(vast)
	one.rows[2999].n = newNode(0, nil)
	one.rows[5].name = strings.Repeat("vast ", 5)
}

func maps() {
	byName, byNumber = map[string]*node{}, map[int]int{}
	small, indirect = map[string]*node{}, map[bigKey][20]*node{}
	nested = map[string]map[int]string{}
	for i := 0; i < few; i++ {
		name := fmt.Sprintf("key %d", i)
		small[name] = newNode(i, nil)
		indirect[bigKey{uint64(i)}] = [20]*node{7: newNode(i, nil)}
		nested[name] = map[int]string{i: strings.Clone(name)}
		shared.Store(name, newNode(i, nil))
	}
	for i := 0; i < 100*few; i++ { // a Swiss map with a directory
		byNumber[i] = i
		if i%2 == 0 {
			byName[fmt.Sprintf("key %d", i)] = newNode(i, nil)
		}
	}
	for i := 0; i < 30*few; i++ {
		delete(byNumber, i)
	}
	delete(small, "key 3")
}

func references() {
	for i := 0; i < few; i++ {
		i, n := i, newNode(i, nil)
		n.payload = &n.name
		values = append(values, i+1000, fmt.Sprint(i), []*node{n}, [2]*node{n}, failure{n}, &n.next)
		walkers = append(walkers, n)
		errs = append(errs, failure{n}, fmt.Errorf("wrapped %d: %w", i, errors.New("inner")))
		funcs = append(funcs, func() int { return len(n.name) + i }, n.walk)
		timers = append(timers, time.AfterFunc(time.Hour, func() { n.name = "" }))
	}
	made = reflect.New(reflect.ArrayOf(7, reflect.TypeOf(list)))
	made.Elem().Index(3).Set(reflect.ValueOf(newNode(0, nil)))
	pool.Put(newNode(0, nil))
}

func finalizable() {
	for i := 0; i < few; i++ {
		n := newNode(i, nil)
		captured := newNode(i, nil)
		runtime.SetFinalizer(n, func(n *node) { captured.payload = n })
		finals = append(finals, n)
	}
}

// queued blocks the goroutine that runs finalizers in the first of them; the
// others wait in the queue.
func queued() {
	running, gate := make(chan bool), make(chan bool)
	blocker(func(*node) { close(running); <-gate })
	runtime.GC()
	<-running
	blocker(func(n *node) { n.payload = gate })
	blocker(func(n *node) { n.payload = running })
}

//go:noinline
func blocker(finalize func(*node)) { runtime.SetFinalizer(newNode(0, nil), finalize) }

// waiting leaves goroutines in each state a goroutine can wait in.
func waiting(crew *truth.Crew) {
	messages, plain = make(chan *node, few), make(chan [3]string, few)
	unbuffered, starved := make(chan *node), make(chan *node)
	for i := 0; i < few/2; i++ {
		messages <- newNode(i, nil)
		plain <- [3]string{1: strings.Repeat("p", 20+i)}
	}
	crew.Go(2, func(i int) {
		n := newNode(i, nil)
		crew.Ready()
		unbuffered <- n
	})
	crew.Go(2, func(i int) {
		n := newNode(i, nil)
		crew.Ready()
		select {
		case starved <- n:
		case unbuffered = <-make(chan chan *node):
		case <-crew.Done:
		}
		n.walk()
	})
	crew.Go(2, func(i int) { descend(crew, 20, newNode(i, nil)) })
	crew.Go(2, func(i int) { deferring(crew, newNode(i, nil)) })
	crew.Go(1, func(i int) {
		runtime.LockOSThread()
		var local [10]*node // a stack object
		fill(&local)
		crew.Ready()
		time.Sleep(time.Hour)
		fill(&local)
	})
	crew.Wait()
}

//go:noinline
func fill(out *[10]*node) {
	for i := range out {
		out[i] = newNode(i, nil)
	}
}

func descend(crew *truth.Crew, depth int, n *node) int {
	if depth == 0 {
		crew.Ready()
		<-crew.Done
		return n.walk()
	}
	return descend(crew, depth-1, newNode(depth, n)) + n.walk()
}

// deferring waits in a deferred call while a panic is under way, with more
// deferred calls behind it.
func deferring(crew *truth.Crew, n *node) {
	defer func() { _ = recover() }()
	for i := 0; i < 3; i++ {
		held := newNode(i, n)
		defer func() { held.walk() }()
	}
	defer func() {
		crew.Ready()
		<-crew.Done
	}()
	panic(failure{n})
}
