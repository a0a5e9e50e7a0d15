//go:build !go1.21

package main

import (
	"context"

	"spanwalk/programs/internal/truth"
)

// sync.OnceValue and context.WithoutCancel came in Go 1.21.
func once(*truth.Program) {}

func withoutCancel(ctx context.Context) context.Context { return ctx }
