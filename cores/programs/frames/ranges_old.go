//go:build !go1.23

package main

//go:noinline
func ranging(n int) { park() }
