//go:build go1.24

package main

import (
	"runtime"
	"unsafe"
	"weak"

	"spanwalk/programs/internal/truth"
)

var (
	objects  [each]*[8]*item
	weaklyTo [each]weak.Pointer[resource]
	strongly [each]*resource
)

// watched has objects with cleanups, whose arguments outlive them.
func watched() {
	program.Add(truth.Root{Name: "cleanups of main.objects", Type: "*main.item", Kind: "cleanup",
		Count: each,
		Make: func() {
			for i := range objects {
				objects[i] = new([8]*item)
				program.Forgotten(unsafe.Pointer(objects[i]))
				runtime.AddCleanup(objects[i], func(it *item) {
					<-gate
					it.id++
				}, newItem(i))
			}
		}})
	program.Bool("cleanups", true)
}

// weakly has objects that only weak pointers know at the end.
func weakly() {
	program.Add(truth.Root{Name: "main.weaklyTo", Type: "[2000]weak.Pointer[main.resource]", Count: each,
		Make: func() {
			for i := range weaklyTo {
				strongly[i] = &resource{id: i}
				program.Forgotten(unsafe.Pointer(strongly[i]))
				weaklyTo[i] = weak.Make(strongly[i])
			}
		}})
}

func dropWatched() {
	for i := range objects {
		objects[i], strongly[i] = nil, nil
	}
}
