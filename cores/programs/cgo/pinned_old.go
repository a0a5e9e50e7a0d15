//go:build !go1.21

package main

import "spanwalk/programs/internal/truth"

// runtime.Pinner came in Go 1.21.
func pinned(p *truth.Program) { p.Bool("pinned", false) }
