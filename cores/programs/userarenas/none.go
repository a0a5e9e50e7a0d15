//go:build !goexperiment.arenas

package main

func arenas() { program.Bool("arenas", false) }
