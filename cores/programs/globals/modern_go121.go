//go:build go1.21

package main

import (
	"context"
	"sync"

	"spanwalk/programs/internal/truth"
)

var bssOnce func() *item

func once(p *truth.Program) {
	p.Add(truth.Root{Name: "main.bssOnce", Type: "func() *main.item", Count: 25,
		Make: func() {
			bssOnce = sync.OnceValue(func() *item { return chain(25) })
			bssOnce()
		}, Drop: func() { bssOnce = nil }})
}

func withoutCancel(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
