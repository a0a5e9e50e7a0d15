// Command lists holds linked structures: long chains, trees whose children
// know their parent, cycles, and a graph in which parts are shared.
package main

import "spanwalk/programs/internal/truth"

const (
	chainLength  = 100_000
	doubleLength = 50_000
	ringLength   = 1_000
	treeNodes    = 1<<15 - 1
	graphNodes   = 5_000
	layers       = 20
	layerWidth   = 200
	sharedNodes  = 1_000
)

type single struct {
	next  *single
	value int
}

type double struct {
	next, prev *double
	value      int
	tag        [3]int
}

type tree struct {
	left, right, parent *tree
	key                 int
}

// vertex is part of one strongly connected graph.
type vertex struct {
	edges []*vertex
	id    int
}

// cell is part of a layered graph: each refers to two of the layer below.
type cell struct {
	below [2]*cell
	layer int
}

// owner objects have something of their own and something in common.
type owner struct {
	own    *single
	common *single
}

var (
	chain     *single
	doubly    *double
	ring      *single
	root      *tree
	graph     *vertex
	top       []*cell
	leftHalf  *owner
	rightHalf *owner
	inner     *int // into the middle of an element of an array
)

func makeChain(n int) *single {
	var head *single
	for i := 0; i < n; i++ {
		head = &single{head, i}
	}
	return head
}

func makeDouble(n int) *double {
	head := &double{}
	last := head
	for i := 1; i < n; i++ {
		last.next = &double{prev: last, value: i}
		last = last.next
	}
	return head
}

func makeRing(n int) *single {
	first := &single{}
	last := first
	for i := 1; i < n; i++ {
		last.next = &single{value: i}
		last = last.next
	}
	last.next = first
	return first
}

func makeTree(from, to int, parent *tree) *tree {
	if from >= to {
		return nil
	}
	middle := (from + to) / 2
	t := &tree{parent: parent, key: middle}
	t.left = makeTree(from, middle, t)
	t.right = makeTree(middle+1, to, t)
	return t
}

func makeGraph(n int) *vertex {
	all := make([]*vertex, n)
	for i := range all {
		all[i] = &vertex{id: i}
	}
	for i, v := range all {
		v.edges = []*vertex{all[(i+1)%n], all[(i*7+3)%n], all[(i*i+11)%n]}
	}
	return all[0]
}

func makeLayers(count, width int) []*cell {
	below := make([]*cell, width)
	for layer := 0; layer < count; layer++ {
		next := make([]*cell, width)
		for i := range next {
			next[i] = &cell{[2]*cell{below[i], below[(i+1)%width]}, layer}
		}
		below = next
	}
	return below
}

func main() {
	p := truth.Start("lists")
	p.Add(truth.Root{Name: "main.chain", Type: "*main.single", Count: chainLength, Bytes: chainLength * 16,
		Make: func() { chain = makeChain(chainLength) }, Drop: func() { chain = nil }})
	p.Add(truth.Root{Name: "main.doubly", Type: "*main.double", Count: doubleLength, Bytes: doubleLength * 48,
		Make: func() { doubly = makeDouble(doubleLength) }, Drop: func() { doubly = nil }})
	p.Add(truth.Root{Name: "main.ring", Type: "*main.single", Count: ringLength, Bytes: ringLength * 16,
		Make: func() { ring = makeRing(ringLength) }, Drop: func() { ring = nil }})
	p.Add(truth.Root{Name: "main.root", Type: "*main.tree", Count: treeNodes, Bytes: treeNodes * 32,
		Make: func() { root = makeTree(0, treeNodes, nil) }, Drop: func() { root = nil }})
	p.Add(truth.Root{Name: "main.graph", Type: "*main.vertex", Count: graphNodes, Bytes: graphNodes * (32 + 24),
		Make: func() { graph = makeGraph(graphNodes) }, Drop: func() { graph = nil }})
	p.Add(truth.Root{Name: "main.top", Type: "[]*main.cell", Count: layers * layerWidth,
		Bytes: layers*layerWidth*24 + layerWidth*8,
		Make:  func() { top = makeLayers(layers, layerWidth) }, Drop: func() { top = nil }})
	shared(p)
	p.Type("main.single", chainLength+ringLength+3*sharedNodes)
	p.Type("main.double", doubleLength)
	p.Type("main.tree", treeNodes)
	p.Type("main.vertex", graphNodes)
	p.Type("main.cell", layers*layerWidth)
	p.Type("main.owner", 2)
	p.Hold()
}

// shared makes two roots that each keep a chain of their own and, only both
// together, a third.
func shared(p *truth.Program) {
	var common *single
	p.Add(truth.Root{Name: "main.leftHalf+main.rightHalf", Type: "*main.single", Kind: "shared",
		Count: sharedNodes, Bytes: sharedNodes * 16,
		Make: func() {
			common = makeChain(sharedNodes)
			leftHalf = &owner{common: common}
			rightHalf = &owner{common: common}
		}})
	common = nil
	p.Add(truth.Root{Name: "main.leftHalf", Type: "*main.owner", Count: sharedNodes, Bytes: sharedNodes * 16,
		Make: func() { leftHalf.own = makeChain(sharedNodes) }, Drop: func() { leftHalf = nil }})
	p.Add(truth.Root{Name: "main.rightHalf", Type: "*main.owner", Count: sharedNodes, Bytes: sharedNodes * 16,
		Make: func() { rightHalf.own = makeChain(sharedNodes) }, Drop: func() { rightHalf = nil }})
	p.Add(truth.Root{Name: "main.inner", Type: "*int", Count: 1, Bytes: 1000 * 48,
		Make: func() { inner = &make([]double, 1000)[500].value }, Drop: func() { inner = nil }})
}
