// Command bigheap builds a heap of a given number of objects, about 60 bytes
// each on average, out of what Go programs are made of, with a leak planted in
// it whose retained bytes are known.
package main

import (
	"flag"
	"runtime/debug"

	"spanwalk/programs/internal/truth"
)

var (
	objects    = flag.Int("objects", 1_000_000, "objects to build, about")
	sharedHalf = flag.Bool("shared-half", false, "let main.shared hold half of what main.leak reaches")
	measure    = flag.Bool("measure", false, "measure what a collection costs (median of three)")
)

func main() {
	flag.Parse()
	debug.SetGCPercent(-1)
	p := truth.Start("bigheap")
	n := *objects
	plant(p, n)
	crew := truth.NewCrew()
	park(p, crew, n)
	build(n)
	p.Add(truth.Root{Name: "main.stock", Type: "main.inventory", Count: int64(stock.objects),
		Drop: func() { stock = inventory{} }})
	if *measure {
		cost := p.MeasureGC(3)
		p.Float("gc_cpu_seconds", cost.Total)
		p.Float("gc_dedicated_cpu_seconds", cost.Dedicated)
		p.Float("gc_assist_cpu_seconds", cost.Assist)
		p.Float("gc_idle_cpu_seconds", cost.Idle)
		p.Float("gc_pause_cpu_seconds", cost.Pause)
		p.Float("gc_wall_seconds", cost.Wall)
	}
	p.Bool("shared_half", *sharedHalf)
	p.Hold()
}
