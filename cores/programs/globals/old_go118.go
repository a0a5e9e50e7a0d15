//go:build !go1.19

package main

import "spanwalk/programs/internal/truth"

// atomic.Pointer came in Go 1.19.
func atomics(*truth.Program) {}
