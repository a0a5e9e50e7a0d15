// Command large holds objects of every size class, with and without pointers,
// and large objects up to and over the 64 MiB of a heap arena.
package main

import (
	"fmt"
	"strings"

	"spanwalk/programs/internal/truth"
)

const arena = 64 << 20

type item struct {
	id   int
	name string
}

// padded is repeated in arrays whose pointer mask is too large to be kept with
// the type: a program up to Go 1.23, made on demand from 1.24.
type padded struct {
	p *item
	x [3]int
}

type (
	bigArray  [5000]padded
	bigNested [100][60]padded
	bigStruct struct {
		count  int
		first  *item
		array  bigArray
		name   string
		last   *item
		nested bigNested
		tail   [100]int
	}
)

// wide is over 512 bytes: slices of it carry a header that names the type.
type wide struct {
	label string
	pad   [60]int
	it    *item
	more  [10]uint16
}

// The sizes of the runtime's size classes, unchanged since Go 1.16.
var classes = []int{
	8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320,
	352, 384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792,
	2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472,
	9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264,
	28672, 32768,
}

const perClass = 5

var (
	globalArray  bigArray
	globalNested bigNested
	array        *bigArray
	nested       *bigNested
	structure    *bigStruct
	arrays       []bigArray
	wides        []wide
	manyWides    []wide
	oneWide      *wide
	inside       **item // into the last part of a large array

	withPointers [][]*item // one slice of perClass objects for each class
	withBytes    [][]byte
	words        []**item // 8-byte objects with a pointer

	bytesBySize    map[int][]byte
	pointersBySize map[int][]*item
	huge           []*item
	overArena      []byte
)

var items int

func newItem(i int) *item {
	items++
	return &item{i, strings.Clone(fmt.Sprintf("item number %012d", i))}
}

func main() {
	p := truth.Start("large")
	sizeClasses(p)
	masks(p)
	sizes(p)
	p.Type("main.item", items)
	p.Type("main.bigArray", 1)
	p.Type("main.bigNested", 1)
	p.Type("main.bigStruct", 1)
	p.Hold()
}

func sizeClasses(p *truth.Program) {
	var noscan, scan int64
	for _, size := range classes {
		noscan += perClass * int64(size)
		scan += perClass * int64(size)
	}
	p.Add(truth.Root{Name: "main.withBytes", Type: "[][]uint8", Count: int64(perClass * len(classes)), Bytes: noscan,
		Make: func() {
			for _, size := range classes {
				for i := 0; i < perClass; i++ {
					withBytes = append(withBytes, make([]byte, size))
				}
			}
		}, Drop: func() { withBytes = nil }})
	p.Add(truth.Root{Name: "main.withPointers", Type: "[][]*main.item", Count: int64(perClass * len(classes)), Bytes: scan,
		Make: func() {
			for _, size := range classes {
				n := size / 8
				if size > 512 { // room for the header
					n--
				}
				for i := 0; i < perClass; i++ {
					s := make([]*item, n)
					for _, place := range []int{0, n / 2, n - 1} {
						if s[place] == nil {
							s[place] = newItem(size)
						}
					}
					withPointers = append(withPointers, s)
				}
			}
		}, Drop: func() { withPointers = nil }})
	p.Add(truth.Root{Name: "main.words", Type: "[]**main.item", Count: 2000, Bytes: 2000 * 8,
		Make: func() {
			for i := 0; i < 2000; i++ {
				word := new(*item)
				*word = newItem(i)
				words = append(words, word)
			}
		}, Drop: func() { words = nil }})
}

func masks(p *truth.Program) {
	p.Add(truth.Root{Name: "main.globalArray", Type: "main.bigArray", Count: 500,
		Make: func() { spread(globalArray[:]) }, Drop: func() { globalArray = bigArray{} }})
	p.Add(truth.Root{Name: "main.globalNested", Type: "main.bigNested", Count: 600,
		Make: func() { spreadAll(&globalNested) }, Drop: func() { globalNested = bigNested{} }})
	p.Add(truth.Root{Name: "main.array", Type: "*main.bigArray", Count: 500,
		Make: func() { array = new(bigArray); spread(array[:]) }, Drop: func() { array = nil }})
	p.Add(truth.Root{Name: "main.nested", Type: "*main.bigNested", Count: 600,
		Make: func() { nested = new(bigNested); spreadAll(nested) }, Drop: func() { nested = nil }})
	p.Add(truth.Root{Name: "main.structure", Type: "*main.bigStruct", Count: 1102,
		Make: func() {
			structure = &bigStruct{first: newItem(1), last: newItem(2), name: "structure"}
			spread(structure.array[:])
			spreadAll(&structure.nested)
		}, Drop: func() { structure = nil }})
	p.Add(truth.Root{Name: "main.arrays", Type: "[]main.bigArray", Count: 1500,
		Make: func() {
			arrays = make([]bigArray, 3, 4)
			for i := range arrays {
				spread(arrays[i][:])
			}
		}, Drop: func() { arrays = nil }})
	p.Add(truth.Root{Name: "main.oneWide", Type: "*main.wide", Count: 1,
		Make: func() { oneWide = &wide{label: "one", it: newItem(1)} }, Drop: func() { oneWide = nil }})
	addWides(p, "wides", &wides, 20)
	addWides(p, "manyWides", &manyWides, 1000)
	p.Add(truth.Root{Name: "main.inside", Type: "**main.item", Count: 1,
		Make: func() {
			a := new(bigArray)
			a[4999].p = newItem(4999)
			inside = &a[4999].p
		}, Drop: func() { inside = nil }})
}

func addWides(p *truth.Program, name string, list *[]wide, n int) {
	p.Add(truth.Root{Name: "main." + name, Type: "[]main.wide", Count: int64(n),
		Make: func() {
			*list = make([]wide, n)
			for i := range *list {
				(*list)[i].it = newItem(i)
			}
		}, Drop: func() { *list = nil }})
}

// spread sets every tenth pointer.
func spread(list []padded) {
	for i := 9; i < len(list); i += 10 {
		list[i].p = newItem(i)
	}
}

func spreadAll(n *bigNested) {
	for i := range n {
		spread(n[i][:])
	}
}

func sizes(p *truth.Program) {
	steps := []int{
		32<<10 + 1, 40 << 10, 64 << 10, 100_000, 128 << 10, 128<<10 + 8, 256 << 10, 1_000_000,
		1 << 20, 4 << 20, 16 << 20,
	}
	var total int64
	for _, size := range steps {
		total += int64(size)
	}
	p.Add(truth.Root{Name: "main.bytesBySize", Type: "map[int][]uint8", Count: int64(len(steps)), Bytes: total,
		Make: func() {
			bytesBySize = map[int][]byte{}
			for _, size := range steps {
				b := make([]byte, size)
				b[0], b[size-1] = 1, 1
				bytesBySize[size] = b
			}
		}, Drop: func() { bytesBySize = nil }})
	p.Add(truth.Root{Name: "main.pointersBySize", Type: "map[int][]*main.item", Count: int64(len(steps)), Bytes: total,
		Make: func() {
			pointersBySize = map[int][]*item{}
			for _, size := range steps {
				n := size / 8
				s := make([]*item, n)
				s[0], s[n/2], s[n-1] = newItem(size), newItem(size), newItem(size)
				pointersBySize[size] = s
			}
		}, Drop: func() { pointersBySize = nil }})
	p.Add(truth.Root{Name: "main.huge", Type: "[]*main.item", Count: 4, Bytes: arena,
		Make: func() {
			huge = make([]*item, arena/8)
			for i := 0; i < 3; i++ {
				huge[i*len(huge)/3] = newItem(i)
			}
			huge[len(huge)-1] = newItem(3)
		}, Drop: func() { huge = nil }})
	p.Add(truth.Root{Name: "main.overArena", Type: "[]uint8", Count: 1, Bytes: arena + 8192 + 1,
		Make: func() {
			overArena = make([]byte, arena+8192+1)
			overArena[0], overArena[arena], overArena[arena+8192] = 1, 1, 1
		}, Drop: func() { overArena = nil }})
}
