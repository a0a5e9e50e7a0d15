//go:build go1.19

package main

import (
	"sync/atomic"

	"spanwalk/programs/internal/truth"
)

var bssAtomic atomic.Pointer[item]

func atomics(p *truth.Program) {
	p.Add(truth.Root{Name: "main.bssAtomic", Type: "atomic.Pointer[main.item]", Count: 30,
		Make: func() { bssAtomic.Store(chain(30)) }, Drop: func() { bssAtomic.Store(nil) }})
}
