//go:build goexperiment.arenas

package main

import (
	"arena"
	"runtime"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

const (
	nodes = 3000
	few   = 5
)

// node is in an arena, what it points to is not.
type node struct {
	next *node
	n    [3]int
	it   *item
}

var (
	listArena  *arena.Arena
	list       *node
	sliceArena *arena.Arena
	slices     [][]*item
	bytes      [][]byte
	fullArena  *arena.Arena
	full       [][]*item
	largeArena *arena.Arena
	large      []*item
	dangling   [few]*node
	faulting   [][]*item
	arenaOnly  *arena.Arena
	crew       = truth.NewCrew()
)

func arenas() {
	add := func(name, kind string, count int, run func()) {
		program.Add(truth.Root{Name: name, Type: "*main.item", Kind: kind, Count: int64(count), Make: run})
	}
	add("main.list", "", nodes, linked)
	add("main.slices", "", 10*few, sliced)
	add("main.full", "", 3*few, filled)
	add("main.large", "", few, oversized)
	add("main.dangling", "", 0, freed)
	add("main.arenaOnly", "", few, onlyArena)
	add("goroutine main.parked", "stack", few, func() {
		crew.Go(few, parked)
		crew.Wait()
	})
	add("nothing", "", 0, dropped)
	program.Bool("arenas", true)
}

// linked has a list in the first part of a chunk.
func linked() {
	listArena = arena.NewArena()
	for i := 0; i < nodes; i++ {
		n := arena.New[node](listArena)
		n.next, n.it = list, newItem(i)
		list = n
	}
}

// sliced has slices of pointers beside bytes, which are no pointers.
func sliced() {
	sliceArena = arena.NewArena()
	for i := 0; i < few; i++ {
		s := arena.MakeSlice[*item](sliceArena, 10, 100)
		for j := range s {
			s[j] = newItem(j)
		}
		dead := uintptr(unsafe.Pointer(&item{id: i}))
		b := arena.MakeSlice[byte](sliceArena, 4096, 4096)
		*(*uintptr)(unsafe.Pointer(&b[8])) = dead
		slices, bytes = append(slices, s), append(bytes, b)
	}
}

// filled uses several chunks to their end.
func filled() {
	fullArena = arena.NewArena()
	for i := 0; i < 3*few; i++ {
		s := arena.MakeSlice[*item](fullArena, 1<<17, 1<<17)
		s[i*1000] = newItem(i)
		full = append(full, s)
	}
}

// oversized is more than an arena takes: it comes from the heap.
func oversized() {
	largeArena = arena.NewArena()
	large = arena.MakeSlice[*item](largeArena, 1<<19, 1<<19)
	for i := 0; i < few; i++ {
		large[i*100000] = newItem(i)
	}
}

// freed leaves pointers into chunks whose memory is gone, once they were full,
// or that the next arena goes on with.
func freed() {
	a := arena.NewArena()
	for i := 0; i < 3*few; i++ {
		s := arena.MakeSlice[*item](a, 1<<17, 1<<17)
		s[i] = &item{id: i}
		faulting = append(faulting, s)
	}
	a.Free()
	for i := range dangling {
		a := arena.NewArena()
		dangling[i] = arena.New[node](a)
		dangling[i].it = &item{id: i}
		a.Free()
	}
}

// onlyArena keeps an arena, and nothing in it.
func onlyArena() {
	arenaOnly = arena.NewArena()
	for i := 0; i < few; i++ {
		n := arena.New[node](arenaOnly)
		n.it = newItem(i)
	}
}

//go:noinline
func parked(i int) {
	a := arena.NewArena()
	n := arena.New[node](a)
	n.it = newItem(i)
	crew.Ready()
	<-crew.Done
	runtime.KeepAlive(n)
	runtime.KeepAlive(a)
}

// dropped leaves arenas to the collector, and frees others for reuse.
func dropped() {
	for i := 0; i < few; i++ {
		a := arena.NewArena()
		arena.New[node](a).it = &item{id: i}
		if i%2 == 0 {
			a.Free()
		}
	}
}
