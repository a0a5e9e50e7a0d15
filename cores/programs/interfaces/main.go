// Command interfaces holds values of every kind behind interfaces: boxed,
// direct, nested, of types the program was built with and of types that
// reflect made while it ran.
package main

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

const each = 200

type item struct {
	id   int
	name string
}

func (it *item) Size() int { return it.id }

type sizer interface{ Size() int }

type celsius float64

func (c celsius) Size() int { return int(c) }

type pair struct {
	left, right *item
}

func (p pair) Size() int { return p.left.id }

// wrapper and one are pointer-shaped: an interface holds them directly.
type wrapper struct{ it *item }

func (w wrapper) Size() int { return w.it.id }

type one [1]*item

type failure struct {
	code  int
	cause error
	at    *item
}

func (f *failure) Error() string { return fmt.Sprint("failure ", f.code) }
func (f *failure) Unwrap() error { return f.cause }

type box struct {
	value any
	size  sizer
}

var (
	scalars  []any
	pointers []any
	direct   []any
	sizers   []sizer
	nested   any
	failures []error
	boxes    []box
	lookup   map[string]any
	made     []any // of types that reflect made
)

var items int

func newItem(i int) *item {
	items++
	return &item{i, strings.Clone(fmt.Sprintf("item number %012d", i))}
}

func main() {
	p := truth.Start("interfaces")
	kinds(p)
	methods(p)
	p.Add(truth.Root{Name: "main.nested", Type: "interface {}", Count: 30,
		Make: func() { nested = nest(10) }, Drop: func() { nested = nil }})
	errorsOf(p)
	p.Add(truth.Root{Name: "main.boxes", Type: "[]main.box", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				boxes = append(boxes, box{newItem(i), celsius(i) + 0.5})
			}
		}, Drop: func() { boxes = nil }})
	p.Add(truth.Root{Name: "main.lookup", Type: "map[string]interface {}", Count: each, Make: makeLookup,
		Drop: func() { lookup = nil }})
	reflected(p)
	p.Type("main.item", items)
	p.Hold()
}

func kinds(p *truth.Program) {
	p.Add(truth.Root{Name: "main.scalars", Type: "[]interface {}", Count: 17 * each,
		Make: func() {
			for i := 0; i < each; i++ {
				n := 300 + i // above 255 the runtime has no static copy
				scalars = append(scalars,
					true, n, int8(i), int16(n), int32(n), int64(n),
					uint(n), uint8(i), uint16(n), uint32(n), uint64(n), uintptr(n),
					float32(n), float64(n), complex(float32(n), 1), complex(float64(n), 2),
					fmt.Sprintf("string number %012d", i))
			}
		}, Drop: func() { scalars = nil }})
	p.Add(truth.Root{Name: "main.pointers", Type: "[]interface {}", Count: 6 * each,
		Make: func() {
			for i := 0; i < each; i++ {
				pointers = append(pointers,
					[]*item{newItem(i)}, []int{i, i, i}, [2]*item{newItem(i), newItem(i)},
					pair{newItem(i), newItem(i)}, struct{ a, b string }{"x", fmt.Sprint("struct number ", 1e9+i)},
					[3]int{i, i, i})
			}
		}, Drop: func() { pointers = nil }})
	p.Add(truth.Root{Name: "main.direct", Type: "[]interface {}", Count: 8 * each,
		Make: func() {
			for i := 0; i < each; i++ {
				it := newItem(i)
				direct = append(direct,
					newItem(i), map[int]*item{i: newItem(i)}, make(chan *item, 1),
					func() int { return it.id }, unsafe.Pointer(newItem(i)),
					wrapper{newItem(i)}, one{newItem(i)}, nil)
			}
		}, Drop: func() { direct = nil }})
}

func methods(p *truth.Program) {
	p.Add(truth.Root{Name: "main.sizers", Type: "[]main.sizer", Count: 4 * each,
		Make: func() {
			for i := 0; i < each; i++ {
				sizers = append(sizers, newItem(i), celsius(1000+i),
					pair{newItem(i), newItem(i)}, wrapper{newItem(i)})
			}
		}, Drop: func() { sizers = nil }})
}

func nest(depth int) any {
	if depth == 0 {
		return newItem(0)
	}
	return []any{nest(depth - 1), map[string]any{"a key of the nest": newItem(depth)}, &box{value: newItem(depth)}}
}

func errorsOf(p *truth.Program) {
	p.Add(truth.Root{Name: "main.failures", Type: "[]error", Count: 4 * each,
		Make: func() {
			for i := 0; i < each; i++ {
				base := &failure{code: i, at: newItem(i)}
				failures = append(failures,
					base,
					fmt.Errorf("request %d: %w", i, &failure{code: i, cause: base, at: newItem(i)}),
					join(errors.New("first of two"), fmt.Errorf("second of two: %d", i)),
					errors.New(fmt.Sprint("plain error number ", i)))
			}
		}, Drop: func() { failures = nil }})
}

func makeLookup() {
	lookup = map[string]any{}
	for i := 0; i < each; i++ {
		key := fmt.Sprintf("lookup key %012d", i)
		switch i % 4 {
		case 0:
			lookup[key] = newItem(i)
		case 1:
			lookup[key] = map[string]any{"inner key of the lookup": newItem(i)}
		case 2:
			lookup[key] = []any{i, newItem(i), "text"}
		case 3:
			lookup[key] = float64(i) * 1.5
		}
	}
}
