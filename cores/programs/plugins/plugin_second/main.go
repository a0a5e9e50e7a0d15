// Command plugin_second is a smaller plug-in.
package main

import "spanwalk/programs/plugins/shared"

type node struct {
	next *node
	item *shared.Item
}

var list *node

// Count is how many items Hold makes.
func Count() int { return 25 }

// Hold makes a list.
func Hold(host shared.Host) {
	for i := 0; i < 25; i++ {
		list = &node{list, host.New(i)}
	}
}

// Park waits with an item in its frame.
func Park(host shared.Host) {
	it := host.New(0)
	host.Ready()
	<-host.Done()
	it.ID++
}

func main() {}
