// Command maps holds one map of each kind the runtime lays out differently.
package main

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"

	"spanwalk/programs/internal/truth"
)

type record struct {
	id   int
	name string
	prev *record
}

type point struct{ x, y int32 }

type nameKey struct {
	name string
	id   int
}

// bigKey and bigValue exceed 128 bytes: the map keeps a pointer to each.
type bigKey [160]byte

type bigValue struct {
	label string
	body  [200]byte
	owner *record
}

type level struct{ depth int }

func (l level) String() string { return fmt.Sprint("level ", l.depth) }

// Scalars and strings.
var (
	intInt       map[int]int
	stringString map[string]string
	stringSet    map[string]struct{}
	uint32Record map[uint32]*record
	uint64Text   map[uint64]string
	uint8Uint8   map[uint8]uint8
	floatKey     map[float64]*record
	runeSlices   map[rune][]int
)

// Composite, large and interface keys and values.
var (
	structKey    map[point]string
	nameKeyed    map[nameKey]*record
	arrayKey     map[[2]string]int
	indirectKey  map[bigKey]int
	indirectElem map[int]bigValue
	indirectBoth map[bigKey]bigValue
	anyAny       map[any]any
	stringers    map[fmt.Stringer]error
	chanKey      map[chan int]string
	functions    map[string]func() int
	emptyKey     map[struct{}]*record
)

// Shapes of growth.
var (
	nilMap     map[string]*record
	emptyMap   map[string]*record
	smallMap   map[string]*record
	fullGroup  map[string]*record
	growing    map[int]*record
	halfGone   map[int]*record
	cleared    map[int]*record
	churned    map[int]*record
	presized   map[int]*record
	nested     map[string]map[string]*record
	concurrent sync.Map
)

var records int

func newRecord(i int) *record {
	records++
	return &record{id: i, name: text("record-number", i)}
}

// text is longer than 16 bytes, so that the tiny allocator does not share its
// block with other strings.
func text(kind string, i int) string {
	return strings.Clone(fmt.Sprintf("%s-%012d", kind, i))
}

func fill[K comparable, V any](m *map[K]V, n int, key func(int) K, value func(int) V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	for i := 0; i < n; i++ {
		(*m)[key(i)] = value(i)
	}
}

func integer(i int) int { return i }

// add takes any map: until Go 1.20 an interface is no comparable.
func add[M any](p *truth.Program, name string, m *M, mk func()) {
	before := records
	root := truth.Root{
		Name: "main." + name,
		Type: fmt.Sprintf("%T", *m),
		Make: mk,
		Drop: func() { *m = *new(M) },
	}
	p.Add(root)
	p.Int(name+"_length", int64(reflect.ValueOf(*m).Len()))
	p.Int(name+"_records", int64(records-before))
}

func makeKey(i int) (k bigKey) {
	copy(k[:], text("big", i))
	return k
}

func main() {
	p := truth.Start("maps")
	scalars(p)
	composites(p)
	growth(p)
	p.Int("floatKey_nan", 3)
	p.Type("main.record", records)
	p.Hold()
}

func scalars(p *truth.Program) {
	add(p, "intInt", &intInt, func() { fill(&intInt, 1000, integer, integer) })
	add(p, "stringString", &stringString, func() {
		fill(&stringString, 5000,
			func(i int) string { return text("key", i) },
			func(i int) string { return text("value", i) })
	})
	add(p, "stringSet", &stringSet, func() {
		fill(&stringSet, 3000,
			func(i int) string { return text("member", i) },
			func(int) struct{} { return struct{}{} })
	})
	add(p, "uint32Record", &uint32Record, func() {
		fill(&uint32Record, 20000, func(i int) uint32 { return uint32(i) * 7 }, newRecord)
	})
	add(p, "uint64Text", &uint64Text, func() {
		fill(&uint64Text, 700,
			func(i int) uint64 { return uint64(i) << 33 },
			func(i int) string { return text("wide", i) })
	})
	add(p, "uint8Uint8", &uint8Uint8, func() {
		fill(&uint8Uint8, 256,
			func(i int) uint8 { return uint8(i) },
			func(i int) uint8 { return uint8(255 - i) })
	})
	add(p, "floatKey", &floatKey, func() {
		fill(&floatKey, 100, func(i int) float64 { return float64(i) / 4 }, newRecord)
		for i := 0; i < 3; i++ { // NaN never equals itself: three entries that no key finds
			floatKey[math.NaN()] = newRecord(-1)
		}
	})
	add(p, "runeSlices", &runeSlices, func() {
		fill(&runeSlices, 300,
			func(i int) rune { return rune('a' + i) },
			func(i int) []int { return make([]int, 4, 8) })
	})
}

func composites(p *truth.Program) {
	add(p, "structKey", &structKey, func() {
		fill(&structKey, 900,
			func(i int) point { return point{int32(i), int32(-i)} },
			func(i int) string { return text("point", i) })
	})
	add(p, "nameKeyed", &nameKeyed, func() {
		fill(&nameKeyed, 1100,
			func(i int) nameKey { return nameKey{text("name", i), i} }, newRecord)
	})
	add(p, "arrayKey", &arrayKey, func() {
		fill(&arrayKey, 400,
			func(i int) [2]string { return [2]string{text("left", i), text("right", i)} },
			integer)
	})
	add(p, "indirectKey", &indirectKey, func() { fill(&indirectKey, 500, makeKey, integer) })
	add(p, "indirectElem", &indirectElem, func() {
		fill(&indirectElem, 500, integer, func(i int) bigValue {
			return bigValue{label: text("label", i), owner: newRecord(i)}
		})
	})
	add(p, "indirectBoth", &indirectBoth, func() {
		fill(&indirectBoth, 300, makeKey, func(i int) bigValue {
			return bigValue{label: text("label", i), owner: newRecord(i)}
		})
	})
	add(p, "anyAny", &anyAny, makeAnyAny)
	add(p, "stringers", &stringers, func() {
		stringers = map[fmt.Stringer]error{}
		for i := 0; i < 200; i++ {
			stringers[level{i + 1000}] = fmt.Errorf("failure number %d", i)
		}
	})
	add(p, "chanKey", &chanKey, func() {
		fill(&chanKey, 50,
			func(int) chan int { return make(chan int, 4) },
			func(i int) string { return text("channel", i) })
	})
	add(p, "functions", &functions, func() {
		fill(&functions, 60,
			func(i int) string { return text("function", i) },
			func(i int) func() int { return func() int { return i } })
	})
	add(p, "emptyKey", &emptyKey, func() {
		fill(&emptyKey, 1, func(int) struct{} { return struct{}{} }, newRecord)
	})
}

func makeAnyAny() {
	anyAny = map[any]any{}
	for i := 0; i < 100; i++ {
		anyAny[1000+i] = text("int", i)
		anyAny[text("string", i)] = 5000 + i
		anyAny[point{int32(i), 1}] = newRecord(i)
		anyAny[newRecord(i)] = point{1, int32(i)}
		anyAny[float64(i)+0.5] = []int{i, i + 1}
		anyAny[[2]string{text("a", i), text("b", i)}] = map[string]int{"one": i}
	}
	anyAny[nil] = nil
	anyAny[true] = false
}

func growth(p *truth.Program) {
	byName := func(i int) string { return text("name", i) }
	add(p, "nilMap", &nilMap, func() {})
	add(p, "emptyMap", &emptyMap, func() { emptyMap = map[string]*record{} })
	add(p, "smallMap", &smallMap, func() { fill(&smallMap, 5, byName, newRecord) })
	add(p, "fullGroup", &fullGroup, func() { fill(&fullGroup, 8, byName, newRecord) })
	// Before 1.24 the insert after 6.5*2^B entries starts to move the buckets,
	// two at each later insert: nearly all are still in the old array.
	add(p, "growing", &growing, func() { fill(&growing, 13<<9+1, integer, newRecord) })
	add(p, "halfGone", &halfGone, func() {
		fill(&halfGone, 10000, integer, newRecord)
		for i := 1; i < 10000; i += 2 {
			delete(halfGone, i)
			records--
		}
	})
	add(p, "cleared", &cleared, func() {
		fill(&cleared, 4000, integer, newRecord)
		for key := range cleared {
			delete(cleared, key)
		}
		records -= 4000
	})
	add(p, "churned", &churned, func() {
		for i := 0; i < 60000; i++ {
			if churned == nil {
				churned = map[int]*record{}
			}
			churned[i] = newRecord(i)
			if i >= 2500 {
				delete(churned, i-2500)
				records--
			}
		}
	})
	add(p, "presized", &presized, func() {
		presized = make(map[int]*record, 5000)
		fill(&presized, 3, integer, newRecord)
	})
	add(p, "nested", &nested, func() {
		fill(&nested, 50, byName, func(i int) map[string]*record {
			inner := map[string]*record{}
			fill(&inner, 20, byName, newRecord)
			return inner
		})
	})
	before := records
	p.Add(truth.Root{Name: "main.concurrent", Type: "sync.Map", Count: 2000,
		Make: func() {
			for i := 0; i < 2000; i++ {
				concurrent.Store(text("shared", i), newRecord(i))
			}
			for i := 0; i < 500; i++ {
				concurrent.Delete(text("shared", i))
				records--
			}
		},
		Drop: func() { concurrent = sync.Map{} }})
	p.Int("concurrent_length", int64(records-before))
}
