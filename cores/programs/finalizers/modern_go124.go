//go:build go1.24

package main

import (
	"runtime"
	"weak"

	"spanwalk/programs/internal/truth"
)

var (
	weakLive []weak.Pointer[item]
	weakDead []weak.Pointer[item]
	strong   []*item
	watched  []*item
	bigWeak  weak.Pointer[bigSelf]
)

func weakPointers(p *truth.Program) {
	p.Add(truth.Root{Name: "main.strong", Type: "[]*main.item", Count: each,
		Make: func() {
			for i := range each {
				it := newItem(i)
				strong = append(strong, it)
				weakLive = append(weakLive, weak.Make(it))
			}
		}, Drop: func() { strong = nil }})
	p.Add(truth.Root{Name: "main.weakDead", Type: "[]weak.Pointer[main.item]", Count: each,
		Make: func() {
			for i := range each {
				weakDead = append(weakDead, weak.Make(&item{id: i, name: "dead"}))
			}
			bigWeak = weak.Make(&bigSelf{})
		}, Drop: func() { weakDead = nil }})
	p.Bool("weak_pointers", true)
}

// cleanups hold their function and their argument, not the object.
func cleanups(p *truth.Program) {
	p.Add(truth.Root{Name: "cleanups of main.watched", Type: "*main.item", Kind: "cleanup", Count: each,
		Make: func() {
			for i := range each {
				object, captured, argument := newItem(i), newItem(i), newItem(i)
				watched = append(watched, object)
				runtime.AddCleanup(object, func(it *item) { it.id += captured.id }, argument)
				runtime.AddCleanup(object, func(n int) { captured.id -= n }, i)
			}
		}, Drop: func() { watched = nil }})
	p.Int("cleanups", 2*each)
}
