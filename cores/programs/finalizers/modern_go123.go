//go:build go1.23

package main

import (
	"fmt"
	"unique"

	"spanwalk/programs/internal/truth"
)

type place struct {
	host string
	port int
}

var (
	handles []unique.Handle[string]
	places  []unique.Handle[place]
)

// uniqueHandles holds each value once, however often it was made.
func uniqueHandles(p *truth.Program) {
	p.Add(truth.Root{Name: "main.handles", Type: "[]unique.Handle[string]", Count: 3 * each,
		Make: func() {
			for i := range 3 * each {
				handles = append(handles, unique.Make(fmt.Sprintf("unique string %012d", i%each)))
			}
		}, Drop: func() { handles = nil }})
	p.Add(truth.Root{Name: "main.places", Type: "[]unique.Handle[main.place]", Count: each,
		Make: func() {
			for i := range each {
				places = append(places, unique.Make(place{fmt.Sprintf("host-number-%012d", i), i}))
			}
		}, Drop: func() { places = nil }})
	p.Int("unique_values", 2*each)
}
