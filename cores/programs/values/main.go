// Command values holds a few values of every kind that a debugger shows in its
// own way, so few that they can be written out in full, and goroutines that
// wait with known variables in their frames.
package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"spanwalk/programs/internal/truth"
)

type point struct{ x, y int }

type level struct{ depth int }

// holder is stored in an interface as the pointer that it is.
type holder struct{ held *point }

func (l level) String() string { return fmt.Sprint("level ", l.depth) }

// Types of the program's own behind which the same kinds stand.
type (
	label    string
	numbers  []int
	lookup   map[string]int
	pipe     chan int
	bigKey   [160]byte
	bigValue struct {
		number int
		body   [200]byte
	}
)

var (
	text      string
	empty     string
	long      string // 500 bytes
	bytes     string // no UTF-8
	ownString label
	textPlace *string

	ints       []int
	names      []string
	nilSlice   []int
	emptySlice []int
	points     []point
	rows       [][]int
	thousand   []int
	ownSlice   numbers
	array      [3]string

	counts    map[string]int
	many      map[int]string // 1000 of them
	set       map[string]struct{}
	nested    map[string]map[int]string
	indirect  map[bigKey]bigValue
	pointers  map[string]*point
	deleted   map[int]int // 100 of 1000 remain
	nilMap    map[string]int
	noEntries map[string]int
	ownMap    lookup
	growing   map[int]int

	queue      chan int // wrapped: 3 4 5
	closed     chan string
	unbuffered chan int // with two receivers
	full       chan int // with a sender
	nilChan    chan int
	signals    chan struct{}
	ownChan    pipe

	anything []any
	failure  error
	noError  error
	stringer fmt.Stringer
	pointed  fmt.Stringer
	itself   []any
	kept     holder
	inside   struct {
		name  string
		value any
	}
)

var crew = truth.NewCrew()

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("values")
	p.Add(truth.Root{Name: "main.values", Type: "*", Kind: "global", Make: func() {
		strs()
		slices()
		maps()
		channels()
		interfaces()
	}})
	p.Add(truth.Root{Name: "goroutine main.parked", Type: "*", Kind: "stack", Make: func() {
		crew.Go(2, func(i int) { parked(100+i, "parked") })
		crew.Go(2, func(int) { receive() })
		crew.Go(1, func(int) { send() })
		crew.Go(1, func(int) { locked() })
		crew.Wait()
	}})
	never()
	p.Hold()
}

// never keeps the linker from leaving out variables that nothing is stored in.
func never() {
	if len(empty)+len(nilSlice)+len(nilMap)+len(nilChan) != 0 || noError != nil {
		panic("what is nil has changed")
	}
}

func strs() {
	text = strings.Clone("hello, \"world\"")
	long = strings.Repeat("x", 500)
	bytes = string([]byte{'a', 0xff, 'b', 0, 'c'})
	ownString = label(strings.Clone("mine"))
	textPlace = &text
}

func slices() {
	ints = append(make([]int, 0, 5), 1, 2, 3)
	names = []string{"one", "two"}
	emptySlice = make([]int, 0, 4)
	points = []point{{1, 2}, {3, 4}}
	rows = [][]int{{1}, {2, 3}, nil}
	for i := 0; i < 1000; i++ {
		thousand = append(thousand, i)
	}
	ownSlice = numbers{7, 8}
	array = [3]string{"a", "b", "c"}
}

func maps() {
	counts = map[string]int{"one": 1, "two": 2, "three": 3}
	many = map[int]string{}
	deleted = map[int]int{}
	for i := 0; i < 1000; i++ {
		many[i] = fmt.Sprint("value ", i)
		deleted[i] = -i
	}
	for i := 100; i < 1000; i++ {
		delete(deleted, i)
	}
	set = map[string]struct{}{"member": {}}
	nested = map[string]map[int]string{"outer": {5: "inner"}}
	indirect = map[bigKey]bigValue{{9}: {number: 99}}
	pointers = map[string]*point{"origin": {0, 0}}
	noEntries = map[string]int{}
	ownMap = lookup{"key": 41}
	// Until 1.23 a map of 13 has just begun to grow: 5 old buckets are left to empty.
	growing = map[int]int{}
	for i := 0; i < 14; i++ {
		growing[i] = i * i
	}
}

func channels() {
	queue = make(chan int, 4)
	for i := 1; i <= 5; i++ {
		if i > 2 {
			queue <- i
			continue
		}
		queue <- i
		<-queue
	}
	closed = make(chan string, 2)
	closed <- "last"
	close(closed)
	unbuffered = make(chan int)
	full = make(chan int, 1)
	full <- 1
	signals = make(chan struct{}, 3)
	signals <- struct{}{}
	ownChan = make(pipe, 1)
}

func interfaces() {
	kept = holder{&points[1]}
	anything = []any{
		nil, 42, "text", true, 2.5, &points[0], point{5, 6}, []int{7, 8},
		map[string]int{"k": 1}, level{3}, label("own"), error(nil), uint8(7),
		kept, [1]*point{&points[1]}, []string(nil), queue,
	}
	failure = errors.New("broken")
	stringer = level{4}
	pointed = &level{5}
	itself = make([]any, 1)
	itself[0] = itself
	inside.name = "name"
	inside.value = 1000
}

// parked waits with values of its own in its frame.
//
//go:noinline
func parked(number int, words string) int {
	total := double(number)
	message := fmt.Sprint(words, " ", total)
	list := []int{total, number}
	wait()
	return total + len(message) + list[len(words)%2]
}

//go:noinline
func double(number int) int { return 2 * number }

//go:noinline
func wait() {
	crew.Ready()
	<-crew.Done
}

//go:noinline
func receive() {
	crew.Ready()
	<-unbuffered
}

//go:noinline
func send() {
	crew.Ready()
	full <- 2
}

var mutex sync.Mutex

//go:noinline
func locked() {
	mutex.Lock()
	crew.Ready()
	mutex.Lock()
}
