// Command marking is dumped in the middle of a collection: one follows another,
// over lists so long that marking takes most of the time, while goroutines move
// objects about from where the collector has been to where it has not.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

const (
	lists  = 4
	length = 60000
	moved  = 200
)

var wait = flag.Duration("wait", 37*time.Millisecond, "from the command abort to the image")

type item struct {
	id   int
	name string
	next *item
}

type link struct {
	next *link
	n    int
	body [4]*item
}

type shelf struct{ places [64]*item }

var (
	program *truth.Program
	items   int
	heads   [lists]*link
	shelves [8]*shelf
)

func newItem(i int) *item {
	items++
	it := &item{id: i, name: strings.Clone(fmt.Sprintf("item number %012d", i))}
	program.Planted(unsafe.Pointer(it))
	return it
}

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(3)
	program = truth.Start("marking")
	program.Add(truth.Root{Name: "main.heads", Type: "[4]*main.link", Count: lists * length, Make: func() {
		for i := 0; i < lists*length; i++ {
			l := &link{next: heads[i%lists], n: i}
			if i%1000 == 0 {
				l.body[0] = newItem(i)
			}
			heads[i%lists] = l
		}
	}})
	program.Add(truth.Root{Name: "main.shelves", Type: "[8]*main.shelf", Count: moved, Make: func() {
		for i := range shelves {
			shelves[i] = new(shelf)
		}
		for i := 0; i < moved; i++ {
			*place(i) = newItem(i)
		}
	}})
	program.Type("main.item", items)
	program.Type("main.link", lists*length)
	program.AtAbort(func() {
		go move()
		go collect()
		// A sleeper would wake when a collection has ended: then there is a P for it.
		for begin := time.Now(); time.Since(begin) < *wait; {
		}
	})
	program.Hold()
	os.Exit(0)
}

func place(i int) **item { return &shelves[i%8].places[i/8%64] }

// collect starts a collection as soon as the last one has ended.
func collect() {
	for {
		runtime.GC()
	}
}

// move swaps items between shelves, and takes some in hand for a while. In
// between nothing else has them.
func move() {
	random := uint32(1)
	next := func() int {
		random = random*1664525 + 1013904223
		return int(random >> 8)
	}
	for {
		from, to := place(next()%512), place(next()%512)
		if from == to {
			continue
		}
		hand := *from
		*from = nil
		fresh := &item{next: hand}
		for n := next() % 1000; n > 0; n-- {
			fresh.id += n
		}
		old := *to
		*to = fresh.next
		*from = old
	}
}
