// Command userarenas holds memory in arenas of package arena, which a program
// frees by hand: a chunk of 8 MiB is one object for the collector, with pointers
// wherever the program has put them so far. It needs GOEXPERIMENT=arenas (1.20).
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

type item struct {
	id   int
	name string
}

var (
	program *truth.Program
	items   int
)

// newItem makes one in the ordinary heap.
func newItem(i int) *item {
	items++
	it := &item{id: i, name: strings.Clone(fmt.Sprintf("item number %012d", i))}
	program.Planted(unsafe.Pointer(it))
	return it
}

func main() {
	runtime.GOMAXPROCS(2)
	program = truth.Start("userarenas")
	arenas()
	program.Type("main.item", items)
	program.Hold()
	os.Exit(0)
}
