//go:build !go1.23

package main

import "spanwalk/programs/leaks/plant"

func coroutines(*plant.Program) {}
