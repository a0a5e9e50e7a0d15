// Command globals holds memory by package-level variables of every form: in
// the data section (initialised) and bss (zero), scalars, arrays and structs
// large enough to have their pointer mask run-length coded, functions, pools.
package main

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"spanwalk/programs/globals/registry"
	"spanwalk/programs/internal/truth"
)

type item struct {
	id   int
	text string
	next *item
}

type row struct {
	name  string
	count int
	first *item
	pad   [5]uint64
}

type settings struct {
	mu      sync.Mutex
	limits  [4]int
	current *item
	byName  map[string]*item
	nested  struct {
		weight float64
		deep   struct{ leaf *item }
	}
	history []*item
}

// ledger is a struct whose pointer the linker knows.
type ledger struct {
	open *settings
	last *item
}

// In data: initialised with values that are not zero.
var (
	dataItem   = &item{id: 1, text: "static", next: dataNext}
	dataNext   = &item{id: 2}
	dataSlice  = []*item{{id: 3}, {id: 4}, nil, nil}
	dataArray  = [16]row{0: {name: "zero", count: 1}, 15: {name: "last"}}
	dataConfig = settings{limits: [4]int{1, 2, 3, 4}}
	dataShelf  = []row{{name: "lower"}, {name: "upper", pad: [5]uint64{4: 1}}}
	dataLedger = &ledger{open: &settings{limits: [4]int{3: 1}}}
	dataFunc   = func() int { return int(time.Now().Unix()) }
	dataAny    any
	dataIface  fmt.Stringer = time.Second
)

// In bss: zero until main runs.
var (
	bssItem   *item
	bssRows   [4096]row
	bssGrid   [64][32]struct{ cells [3]*item }
	bssPadded [10000]struct {
		p *item
		x [7]int
	}
	bssConfig  settings
	bssTree    = &settings{} // what it leads to has no name either
	bssFunc    func() *item
	bssValue   atomic.Value
	bssPool    = sync.Pool{New: func() any { return new(row) }}
	bssContext context.Context
	bssUnsafe  unsafe.Pointer
	bssString  string
	bssInstant box[*item]
)

// No pointers: never scanned.
var (
	numbers [1 << 16]uint64
	hiding  uintptr
)

//go:embed embedded.txt
var embeddedText string

//go:embed embedded.txt
var embeddedBytes []byte

//go:embed embedded.txt
var embeddedFiles embed.FS

type box[T any] struct {
	value T
	count int
}

const pooled = 10

var items int

func newItem(i int) *item {
	items++
	return &item{id: i, text: strings.Clone(fmt.Sprintf("item number %012d", i))}
}

func chain(n int) *item {
	var head *item
	for i := 0; i < n; i++ {
		it := newItem(i)
		it.next = head
		head = it
	}
	return head
}

func main() {
	p := truth.Start("globals")
	data(p)
	arrays(p)
	variables(p)
	atomics(p)
	once(p)
	p.Add(truth.Root{Name: "spanwalk/programs/globals/registry.Default",
		Type: "map[string]*registry.Entry", Count: 100, Bytes: 100 * 1024,
		Make: func() {
			for i := 0; i < 100; i++ {
				registry.Add(fmt.Sprintf("registered entry %012d", i), 1024)
			}
		}, Drop: registry.Reset})
	spare := make([]*row, pooled)
	for i := range spare {
		spare[i] = &row{count: i}
	}
	p.Between(func() { // one collection to go: they end as the pool's victims
		for i, r := range spare {
			bssPool.Put(r)
			spare[i] = nil
		}
	})
	p.Int("pool_victims", pooled)
	p.Int("embedded_bytes", int64(len(embeddedText)))
	p.Type("main.item", items)
	hiding = uintptr(unsafe.Pointer(new([64]byte))) // no reference to the collector
	numbers[1] = uint64(hiding)
	p.Hold()
	fmt.Fprint(nowhere{}, embeddedText, embeddedBytes, embeddedFiles, dataIface, dataFunc())
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

func data(p *truth.Program) {
	p.Add(truth.Root{Name: "main.dataNext", Type: "*main.item", Count: 400,
		Make: func() { dataNext.next = chain(400) }, Drop: func() { dataNext.next = nil }})
	p.Add(truth.Root{Name: "main.dataSlice", Type: "[]*main.item", Count: 200,
		Make: func() { dataSlice[2] = chain(200) }, Drop: func() { dataSlice[2] = nil }})
	p.Add(truth.Root{Name: "main.dataArray", Type: "[16]main.row", Count: 160,
		Make: func() {
			for i := range dataArray {
				dataArray[i].first = chain(10)
			}
		}, Drop: func() { dataArray = [16]row{} }})
	p.Add(truth.Root{Name: "main.dataConfig", Type: "main.settings", Count: 60,
		Make: func() { configure(&dataConfig) }, Drop: func() { forget(&dataConfig) }})
	p.Add(truth.Root{Name: "main.dataShelf", Type: "[]main.row", Count: 9,
		Make: func() { dataShelf[1].first = chain(9) }, Drop: func() { dataShelf[1].first = nil }})
	p.Add(truth.Root{Name: "main.dataLedger", Type: "*main.ledger", Count: 8,
		Make: func() { dataLedger.open.current, dataLedger.last = chain(7), newItem(0) },
		Drop: func() { dataLedger.open.current, dataLedger.last = nil, nil }})
	p.Add(truth.Root{Name: "main.bssTree", Type: "*main.settings", Count: 11,
		Make: func() { bssTree.current = chain(11) }, Drop: func() { bssTree.current = nil }})
	p.Add(truth.Root{Name: "main.dataAny", Type: "interface {}", Count: 70,
		Make: func() { dataAny = box[*item]{chain(70), 70} }, Drop: func() { dataAny = nil }})
}

func configure(s *settings) {
	s.current = chain(20)
	s.byName = map[string]*item{"a key of the settings": chain(10)}
	s.nested.deep.leaf = chain(20)
	s.history = []*item{newItem(0), chain(9)}
}

func forget(s *settings) {
	s.current, s.byName, s.nested.deep.leaf, s.history = nil, nil, nil, nil
}

func zero[T any](p *T) { *p = *new(T) }

func arrays(p *truth.Program) {
	p.Add(truth.Root{Name: "main.bssRows", Type: "[4096]main.row", Count: 4096,
		Make: func() {
			for i := range bssRows {
				bssRows[i].first = newItem(i)
			}
		}, Drop: func() { zero(&bssRows) }})
	p.Add(truth.Root{Name: "main.bssGrid", Type: "[64][32]struct { cells [3]*main.item }", Count: 64 * 32,
		Make: func() {
			for i := range bssGrid {
				for j := range bssGrid[i] {
					bssGrid[i][j].cells[(i+j)%3] = newItem(i)
				}
			}
		}, Drop: func() { zero(&bssGrid) }})
	p.Add(truth.Root{Name: "main.bssPadded", Type: "[10000]struct { p *main.item; x [7]int }", Count: 1000,
		Make: func() {
			for i := 0; i < 1000; i++ {
				bssPadded[i*10+9].p = newItem(i)
			}
		}, Drop: func() { zero(&bssPadded) }})
}

func variables(p *truth.Program) {
	p.Add(truth.Root{Name: "main.bssItem", Type: "*main.item", Count: 300,
		Make: func() { bssItem = chain(300) }, Drop: func() { bssItem = nil }})
	p.Add(truth.Root{Name: "main.bssConfig", Type: "main.settings", Count: 60,
		Make: func() { configure(&bssConfig) }, Drop: func() { forget(&bssConfig) }})
	p.Add(truth.Root{Name: "main.bssFunc", Type: "func() *main.item", Count: 40,
		Make: func() {
			held := chain(40)
			bssFunc = func() *item { return held }
		}, Drop: func() { bssFunc = nil }})
	p.Add(truth.Root{Name: "main.bssValue", Type: "atomic.Value", Count: 30,
		Make: func() { bssValue.Store(chain(30)) }, Drop: func() { bssValue = atomic.Value{} }})
	p.Add(truth.Root{Name: "main.bssContext", Type: "context.Context", Count: 35,
		Make: func() {
			type key string
			ctx := context.WithValue(context.Background(), key("items"), chain(35))
			bssContext = withoutCancel(ctx)
		}, Drop: func() { bssContext = nil }})
	p.Add(truth.Root{Name: "main.bssUnsafe", Type: "unsafe.Pointer", Count: 15,
		Make: func() { bssUnsafe = unsafe.Pointer(chain(15)) }, Drop: func() { bssUnsafe = nil }})
	p.Add(truth.Root{Name: "main.bssString", Type: "string", Count: 1, Bytes: 1 << 20,
		Make: func() { bssString = strings.Repeat("x", 1<<20)[5:10] }, Drop: func() { bssString = "" }})
	p.Add(truth.Root{Name: "main.bssInstant", Type: "main.box[*main.item]", Count: 45,
		Make: func() { bssInstant = box[*item]{chain(45), 45} }, Drop: func() { bssInstant.value = nil }})
}
