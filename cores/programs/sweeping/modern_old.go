//go:build !go1.24

package main

// runtime.AddCleanup and package weak came in Go 1.24.
func watched()     { program.Bool("cleanups", false) }
func weakly()      {}
func dropWatched() {}
