//go:build go1.21

package main

import (
	"runtime"

	"spanwalk/programs/internal/truth"
)

var (
	pinner runtime.Pinner
	pinned []*item
)

func pins(p *truth.Program) {
	p.Add(truth.Root{Name: "main.pinned", Type: "[]*main.item", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				it := newItem(i)
				pinner.Pin(it)
				pinned = append(pinned, it)
			}
		}, Drop: func() { pinner.Unpin(); pinned = nil }})
}
