// Package shared is linked into the program and into each of its plug-ins.
package shared

// Item is a type that the modules have in common.
type Item struct {
	ID   int
	Name string
	Next *Item
}

// Host is what the program offers to a plug-in.
type Host interface {
	New(id int) *Item
	Ready()
	Done() <-chan struct{}
}

// Kept is one variable for all modules.
var Kept []*Item
