//go:build !go1.23

package main

// iter.Pull came in Go 1.23.
func coroutines(add func(string, int, int, func(int))) { program.Bool("coroutines", false) }
