//go:build !go1.23

package main

import "spanwalk/programs/internal/truth"

// coroutines came with iter.Pull in Go 1.23.
func coroutines(p *truth.Program) { p.Bool("coroutines", false) }
