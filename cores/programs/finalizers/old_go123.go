//go:build !go1.24

package main

import "spanwalk/programs/internal/truth"

// Package weak and runtime.AddCleanup came in Go 1.24.
func weakPointers(p *truth.Program) { p.Bool("weak_pointers", false) }
func cleanups(p *truth.Program)     { p.Int("cleanups", 0) }
