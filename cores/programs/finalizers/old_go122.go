//go:build !go1.23

package main

import "spanwalk/programs/internal/truth"

// Handles came with package unique in Go 1.23.
func uniqueHandles(p *truth.Program) { p.Int("unique_values", 0) }
