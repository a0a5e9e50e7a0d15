package main

import (
	"fmt"
	"runtime"
	"strconv"

	"spanwalk/programs/internal/truth"
)

type record struct {
	id    uint64
	name  string
	prev  *record
	score float64
}

type listNode struct {
	next  *listNode
	value int
	owner *record
}

type treeNode struct {
	left, right, parent *treeNode
	key                 uint64
	value               *record
}

type sample struct {
	at    int64
	value float64
}

type event struct {
	kind    string
	payload any
}

type job struct {
	id    int
	reply *record
}

// inventory keeps one part of each kind for every round of the building.
type inventory struct {
	objects  int
	names    [][]string
	records  []map[uint64]*record
	series   [][][]sample
	lists    []*listNode
	trees    []*treeNode
	events   [][]event
	queues   [][]chan *job
	labels   []map[string]map[string]string
	handlers [][]func(int) uint64
}

var stock inventory

// A round makes about this many objects of all kinds, so that objects of one
// kind lie among those of others, as in a program that has run for a while.
const round = 10_000

type builder struct {
	random uint64
	count  int
	made   []*record
	lists  [openLists]growing[listNode]
	trees  [openTrees]growing[treeNode]
}

// record returns one of the records made so far: references cross the heap, as
// they do in a program that has run for a while.
func (b *builder) record() *record {
	return b.made[b.next(len(b.made))]
}

// next is xorshift64: the same sizes in every run.
func (b *builder) next(n int) int {
	b.random ^= b.random << 13
	b.random ^= b.random >> 7
	b.random ^= b.random << 17
	return int(b.random % uint64(n))
}

func build(n int) {
	b := &builder{random: 88172645463325252, made: make([]*record, 0, n/10)}
	leaked := 3 * max(n/objectsPerSession, 10)
	if *sharedHalf {
		leaked *= 2
	}
	for b.count+leaked+parked(n) < n {
		b.addRecords(800)
		stock.names = append(stock.names, b.strings(2000))
		stock.series = append(stock.series, b.series(900))
		b.addLists(1300)
		b.addTrees(1400)
		stock.events = append(stock.events, b.events(700))
		stock.queues = append(stock.queues, b.queues(60))
		stock.labels = append(stock.labels, b.labels(20))
		stock.handlers = append(stock.handlers, b.handlers(300))
	}
	b.close()
	stock.objects = b.count
}

func (b *builder) addRecords(n int) {
	m := make(map[uint64]*record, n)
	for i := 0; i < n; i++ {
		id := uint64(b.count) * 2654435761
		r := &record{id: id, name: "record-" + strconv.Itoa(1e12+b.count), score: float64(id)}
		if len(b.made) > 0 && b.next(8) > 0 {
			r.prev = b.record()
		}
		b.made = append(b.made, r)
		m[id] = r
		b.count += 2
	}
	stock.records = append(stock.records, m)
	b.count += 2
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnop"

func (b *builder) strings(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = string([]byte(letters[:17+b.next(72)]))
	}
	b.count += n + 1
	return list
}

func (b *builder) series(n int) [][]sample {
	list := make([][]sample, n)
	for i := range list {
		list[i] = make([]sample, 2+b.next(9))
	}
	b.count += n + 1
	return list
}

// Many lists and trees grow at a time, each by a node now and then, so that
// neighbours in a structure are not neighbours in memory.
const (
	openLists  = 256
	openTrees  = 64
	listLength = 1300
	treeSize   = 1400
)

type growing[T any] struct {
	head *T
	size int
}

func (b *builder) addLists(n int) {
	for i := 0; i < n; i++ {
		list := &b.lists[b.next(openLists)]
		list.head = &listNode{next: list.head, value: i}
		if i%16 == 0 {
			list.head.owner = b.record()
		}
		if list.size++; list.size == listLength {
			stock.lists = append(stock.lists, list.head)
			*list = growing[listNode]{}
		}
	}
	b.count += n
}

func (b *builder) addTrees(n int) {
	for i := 0; i < n; i++ {
		tree := &b.trees[b.next(openTrees)]
		tree.head = insert(tree.head, &treeNode{key: b.random, value: b.record()})
		if tree.size++; tree.size == treeSize {
			stock.trees = append(stock.trees, tree.head)
			*tree = growing[treeNode]{}
		}
	}
	b.count += n
}

// insert adds a node to a search tree; the keys are random, so it stays shallow.
func insert(root, node *treeNode) *treeNode {
	at := &root
	for *at != nil {
		node.parent = *at
		if node.key < (*at).key {
			at = &(*at).left
		} else {
			at = &(*at).right
		}
	}
	*at = node
	return root
}

// close puts the lists and trees that are still growing into the stock.
func (b *builder) close() {
	for _, list := range b.lists {
		stock.lists = append(stock.lists, list.head)
	}
	for _, tree := range b.trees {
		stock.trees = append(stock.trees, tree.head)
	}
}

func (b *builder) events(n int) []event {
	list := make([]event, n)
	for i := range list {
		switch i % 5 {
		case 0:
			list[i] = event{"sample", sample{int64(i), float64(i)}}
		case 1:
			list[i] = event{"count", int64(1000 + i)}
		case 2:
			list[i] = event{"text", letters[:20+b.next(20)]}
		case 3:
			list[i] = event{"job", &job{i, b.record()}}
		case 4:
			list[i] = event{"values", []int{i, i, i}}
			b.count++
		}
	}
	b.count += n + 1
	return list
}

func (b *builder) queues(n int) []chan *job {
	list := make([]chan *job, n)
	for i := range list {
		list[i] = make(chan *job, 4)
		for j := 0; j < 3; j++ {
			list[i] <- &job{j, b.record()}
		}
	}
	b.count += 5*n + 1
	return list
}

func (b *builder) labels(n int) map[string]map[string]string {
	outer := make(map[string]map[string]string, n)
	for i := 0; i < n; i++ {
		inner := map[string]string{}
		for j := 0; j < 6; j++ {
			inner[fmt.Sprintf("label-key-%012d", j)] = fmt.Sprintf("label-value-%012d", i+j)
		}
		outer[fmt.Sprintf("labels-of-%012d", i)] = inner
	}
	b.count += n*15 + 4
	return outer
}

func (b *builder) handlers(n int) []func(int) uint64 {
	list := make([]func(int) uint64, n)
	for i := range list {
		r, k := b.record(), b.next(100)
		list[i] = func(x int) uint64 { return r.id + uint64(x*k) }
	}
	b.count += n + 1
	return list
}

// Both are built in since Go 1.21.
func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func max(a, b int) int { return a + b - min(a, b) }

func parked(n int) int { return 25 * goroutines(n) }

func goroutines(n int) int { return min(1000, n/1000) }

// park starts goroutines that each hold a list of 20 in their frame.
func park(p *truth.Program, crew *truth.Crew, n int) {
	count := goroutines(n)
	p.Add(truth.Root{Name: "goroutine main.wait", Type: "*main.listNode", Kind: "stack", Count: int64(20 * count),
		Make: func() {
			crew.Go(count, func(i int) { wait(crew, i) })
			crew.Wait()
		}})
	p.Int("parked_goroutines", int64(count))
}

//go:noinline
func wait(crew *truth.Crew, i int) {
	var head *listNode
	for j := 0; j < 20; j++ {
		head = &listNode{next: head, value: i + j}
	}
	crew.Ready()
	<-crew.Done
	runtime.KeepAlive(head)
}
