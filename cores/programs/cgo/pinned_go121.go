//go:build go1.21

package main

/*
#include "calls.h"
*/
import "C"

import (
	"runtime"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

var pinners []*runtime.Pinner

// pinned gives items to C whose address stays the same: the pinner holds them.
func pinned(p *truth.Program) {
	p.Add(truth.Root{Name: "main.pinners", Type: "[]*runtime.Pinner", Count: each,
		Make: func() {
			for i := 0; i < each; i++ {
				it, pinner := newItem(i), new(runtime.Pinner)
				pinner.Pin(it)
				pinner.Pin(it) // twice: the second one is counted by a special
				C.remember(C.uintptr_t(uintptr(unsafe.Pointer(it))))
				pinners = append(pinners, pinner)
			}
		},
		Drop: func() {
			for _, pinner := range pinners {
				pinner.Unpin()
			}
			pinners = nil
		}})
	p.Bool("pinned", true)
}
