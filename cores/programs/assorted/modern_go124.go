//go:build go1.24

package main

import (
	"fmt"
	"iter"
	"runtime"
	"unique"
	"weak"
)

var (
	watched []*node
	weaks   []weak.Pointer[node]
	handles []unique.Handle[string]
	pulled  func() (*node, bool)
)

// modern has cleanups, weak pointers, unique handles and a coroutine.
func modern() {
	for i := range few {
		n, argument := newNode(i, nil), newNode(i, nil)
		runtime.AddCleanup(n, func(a *node) { a.name = "" }, argument)
		watched = append(watched, n)
		weaks = append(weaks, weak.Make(n), weak.Make(argument))
		handles = append(handles, unique.Make(fmt.Sprintf("handle %012d", i)))
	}
	for i := range few { // these run
		runtime.AddCleanup(&node{}, func(n int) { nodes += 0 * n }, i)
	}
	runtime.GC()
	pulled, _ = iter.Pull(func(yield func(*node) bool) {
		for n := list; n != nil && yield(n); n = n.next {
		}
	})
	pulled()
}
