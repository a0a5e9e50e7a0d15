//go:build go1.24

package main

import (
	"runtime"
	"weak"

	"spanwalk/programs/internal/truth"
)

// cache is to be cleaned up by a janitor.
type cache struct {
	entries []byte
	id      int
}

// janitor has the cache, unless the program is repaired.
type janitor struct {
	of   *cache
	work int
}

// page is only looked at by weak pointers.
type page struct {
	body [128]byte
	next *page
}

var (
	caches []*cache
	pages  []*page
	views  []weak.Pointer[page]
)

func (j *janitor) sweep() { j.work++ }

func modern(p *truth.Program, n int) {
	lose(n)
	own(n)
	look(n)
	faults := int64(n)
	if *fixed {
		faults = 0
	}
	p.Int("lost_caches", faults)
	p.Int("caches", int64(n))
	p.Int("pages", int64(n))
	p.Int("dead_pages", int64(2*n))
}

//go:noinline
func newCache(i int) *cache {
	c := &cache{entries: make([]byte, payload), id: i}
	j := &janitor{}
	if !*fixed {
		j.of = c
	}
	runtime.AddCleanup(c, (*janitor).sweep, j)
	return c
}

//go:noinline
func lose(n int) {
	for i := 0; i < n; i++ {
		newCache(i)
	}
}

// own keeps caches whose cleanups are as they should be.
//
//go:noinline
func own(n int) {
	for i := 0; i < n; i++ {
		c := &cache{entries: make([]byte, payload), id: i}
		runtime.AddCleanup(c, func(id int) { ended += id }, i)
		caches = append(caches, c)
	}
}

//go:noinline
func look(n int) {
	for i := 0; i < 3*n; i++ {
		one := &page{}
		views = append(views, weak.Make(one), weak.Make(one)) // the same handle
		if i < n {
			pages = append(pages, one)
		}
	}
}
