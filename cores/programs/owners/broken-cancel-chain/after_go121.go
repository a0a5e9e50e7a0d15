//go:build go1.21

package main

import "context"

var (
	stops   []func() bool
	blocked = make(chan struct{})
)

// plantAfterFuncs registers functions with the server whose stop functions are dropped, and others
// whose are kept; and has some of them run, and wait.
func plantAfterFuncs(server context.Context) afterFuncs {
	after := afterFuncs{kept: 12, running: 7}
	for i := 0; i < 40; i++ {
		body := make([]byte, 1024)
		stop := context.AfterFunc(server, func() { _ = body })
		if *fixed {
			stop()
		} else {
			after.abandoned++
		}
	}
	for i := 0; i < after.kept; i++ {
		stops = append(stops, context.AfterFunc(server, func() {}))
	}
	over, cancel := context.WithCancel(context.Background())
	for i := 0; i < after.running; i++ {
		context.AfterFunc(over, func() { <-blocked })
	}
	cancel()
	return after
}
