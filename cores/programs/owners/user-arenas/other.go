//go:build !goexperiment.arenas

package main

import "spanwalk/programs/internal/truth"

func serve(p *truth.Program) { p.Int("user_arenas", 0) }

func keepAlive() { _, _ = count, fixed }
