// Command plugin_first is a plug-in that holds memory by its variables, by
// types and closures of its own, and by goroutines in its functions.
package main

import (
	"runtime"

	"spanwalk/programs/plugins/shared"
)

type own struct {
	item  *shared.Item
	pad   [3]int
	other *own
}

// large has a header with its type, which only this module has.
type large struct {
	items [40]*shared.Item
	body  [100]int
}

var (
	variable *own
	table    = map[string]*shared.Item{}
	big      []*large
	closures []func() int
	faces    []interface{}
)

var data = [3]*shared.Item{{ID: -1}, nil, {ID: -2, Name: "in the data of a plug-in"}}

// Count is how many items Hold makes.
func Count() int { return 3*10 + 2*40 + 10 + 10 }

// Hold fills the variables.
func Hold(host shared.Host) {
	for i := 0; i < 10; i++ {
		variable = &own{item: host.New(i), other: variable}
		table[string(rune('a'+i))] = host.New(i)
		captured := host.New(i)
		closures = append(closures, func() int { captured.ID++; return captured.ID })
		faces = append(faces, own{item: host.New(i)})
		shared.Kept = append(shared.Kept, host.New(i))
	}
	for i := 0; i < 2; i++ {
		l := new(large)
		for j := range l.items {
			l.items[j] = host.New(j)
		}
		big = append(big, l)
	}
	data[1] = data[0]
}

// Park waits with an item in its frame and one in a stack object.
func Park(host shared.Host) {
	first := host.New(0)
	holder := own{item: host.New(1)}
	wait(host, &holder)
	runtime.KeepAlive(first)
}

//go:noinline
func wait(host shared.Host, o *own) {
	host.Ready()
	<-host.Done()
	runtime.KeepAlive(o)
}

// Fault waits in a deferred call above a fault.
func Fault(host shared.Host) {
	held := host.New(0)
	defer func() {
		wait(host, &own{item: held})
		recover()
	}()
	var null *own
	null.other = nil
}

// Spin never gives way.
func Spin(host shared.Host) {
	first, second := host.New(0), host.New(1)
	host.Ready()
	for n := 0; ; n++ {
		first.ID += n
		second.ID ^= first.ID
		if second.ID == -n {
			second.Next, first.Next = first, second
		}
	}
}

func main() {}
