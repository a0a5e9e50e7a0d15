// Command tiny fills the tiny allocator's 16-byte blocks: many small values
// without pointers share a block, and a block lives while any of them does.
package main

import (
	"fmt"
	"runtime"
	"strings"

	"spanwalk/programs/internal/truth"
)

const (
	blocks  = 4000 // blocks of which one part is kept
	strNum  = 5000
	boxes   = 3000
	pairNum = 2000
)

type flags struct{ a, b bool }

var (
	firsts  []*uint32 // the first quarter of each block
	middles []*uint32 // the third quarter: an interior pointer
	names   []string  // 7 bytes each, two to a block
	labels  []string  // 5 bytes; two of three dropped
	boxed   []any     // int16 values too large for the runtime's static table
	bools   []*bool
	pairs   []*flags
	widest  []string // 15 bytes: a block each
	sixteen []string // 16 bytes: not tiny
	keep    uint32
)

// pick allocates 4-byte values and keeps the one at place in every four, so
// that, the allocator being fresh, one block in whole is held by each.
func pick(place int) []*uint32 {
	kept := make([]*uint32, 0, blocks)
	for i := 0; i < blocks*4; i++ {
		v := newWord(uint32(i))
		if i%4 == place {
			kept = append(kept, v)
		} else {
			keep += *v
		}
	}
	return kept
}

//go:noinline
func newWord(v uint32) *uint32 { return &v }

//go:noinline
func newBool(v bool) *bool { return &v }

//go:noinline
func newFlags(a, b bool) *flags { return &flags{a, b} }

func words(n, length, every int) []string {
	kept := make([]string, 0, n)
	for i := 0; i < n*every; i++ {
		s := strings.Clone(fmt.Sprintf("%0*d", length, i)[:length])
		if i%every == 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

func main() {
	runtime.LockOSThread() // one P, one tiny block at a time
	p := truth.Start("tiny")
	p.Add(truth.Root{Name: "main.firsts", Type: "[]*uint32", Count: blocks, Bytes: blocks * 4,
		Make: func() { firsts = pick(0) }, Drop: func() { firsts = nil }})
	p.Add(truth.Root{Name: "main.middles", Type: "[]*uint32", Count: blocks, Bytes: blocks * 4,
		Make: func() { middles = pick(2) }, Drop: func() { middles = nil }})
	addWords(p, "names", &names, strNum, 7, 1)
	addWords(p, "labels", &labels, strNum, 5, 3)
	addWords(p, "widest", &widest, strNum, 15, 1)
	addWords(p, "sixteen", &sixteen, strNum, 16, 1)
	p.Add(truth.Root{Name: "main.boxed", Type: "[]interface {}", Count: boxes, Bytes: boxes * 2,
		Make: func() {
			for i := 0; i < boxes; i++ {
				boxed = append(boxed, int16(1000+i))
			}
		}, Drop: func() { boxed = nil }})
	p.Add(truth.Root{Name: "main.bools", Type: "[]*bool", Count: boxes, Bytes: boxes,
		Make: func() {
			for i := 0; i < boxes; i++ {
				bools = append(bools, newBool(i%2 == 0))
			}
		}, Drop: func() { bools = nil }})
	p.Add(truth.Root{Name: "main.pairs", Type: "[]*main.flags", Count: pairNum, Bytes: pairNum * 2,
		Make: func() {
			for i := 0; i < pairNum; i++ {
				pairs = append(pairs, newFlags(i%2 == 0, i%3 == 0))
			}
		}, Drop: func() { pairs = nil }})
	p.Int("blocks_of_one_kept_part", blocks)
	p.Hold()
}

func addWords(p *truth.Program, name string, list *[]string, n, length, every int) {
	p.Add(truth.Root{Name: "main." + name, Type: "[]string", Count: int64(n), Bytes: int64(n * length),
		Make: func() { *list = words(n, length, every) },
		Drop: func() { *list = nil }})
}
