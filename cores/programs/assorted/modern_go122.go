//go:build !go1.24

package main

// Cleanups and weak pointers came in Go 1.24.
func modern() {}
