// Command plugins opens two plug-ins: there are three modules then, each with
// functions, types, variables and pointer masks of its own. The plug-ins are
// files beside the executable, named after it.
package main

import (
	"fmt"
	"os"
	"plugin"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"spanwalk/programs/internal/truth"
	"spanwalk/programs/plugins/shared"
)

const few = 3

type host struct {
	*truth.Crew
	program *truth.Program
	lock    sync.Mutex
	items   int
}

func (h *host) New(id int) *shared.Item {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.items++
	it := &shared.Item{ID: id, Name: strings.Clone(fmt.Sprintf("item number %012d", id))}
	h.program.Planted(unsafe.Pointer(it))
	return it
}

func (h *host) Done() <-chan struct{} { return h.Crew.Done }

func main() {
	runtime.GOMAXPROCS(2)
	h := &host{Crew: truth.NewCrew(), program: truth.Start("plugins")}
	first, second := open("plugin_first"), open("plugin_second")
	for _, p := range []*plugin.Plugin{first, second} {
		hold(h, p)
	}
	park(h, first, "Park", few)
	park(h, first, "Fault", few)
	park(h, first, "Spin", 1)
	park(h, second, "Park", few)
	h.program.Type("spanwalk/programs/plugins/shared.Item", h.items)
	h.program.Int("modules", 3)
	h.program.Hold()
	os.Exit(0)
}

func open(name string) *plugin.Plugin {
	exe, err := os.Executable()
	if err == nil {
		var p *plugin.Plugin
		if p, err = plugin.Open(strings.TrimSuffix(exe, ".exe") + "-" + name + ".so"); err == nil {
			return p
		}
	}
	panic(err)
}

func lookup(p *plugin.Plugin, name string) plugin.Symbol {
	symbol, err := p.Lookup(name)
	if err != nil {
		panic(err)
	}
	return symbol
}

func hold(h *host, p *plugin.Plugin) {
	h.program.Add(truth.Root{Name: "variables of a plug-in", Type: "*shared.Item",
		Count: int64(lookup(p, "Count").(func() int)()),
		Make:  func() { lookup(p, "Hold").(func(shared.Host))(h) }})
}

func park(h *host, p *plugin.Plugin, name string, goroutines int) {
	run := lookup(p, name).(func(shared.Host))
	h.program.Add(truth.Root{Name: "goroutines of a plug-in", Kind: "stack", Type: "*shared.Item",
		Count: int64(goroutines),
		Make: func() {
			h.Go(goroutines, func(int) { run(h) })
			h.Wait()
		}})
}
