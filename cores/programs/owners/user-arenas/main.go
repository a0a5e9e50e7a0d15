// Command user-arenas decodes requests into arenas of package arena, which it frees when a request
// was answered. A cache keeps users of a request whose arena is gone: whoever looks at them crashes.
// Repaired (-fixed), it keeps clones. It needs GOEXPERIMENT=arenas (1.20).
package main

import (
	"flag"
	"os"
	"runtime"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 30, "users in the cache")
	fixed = flag.Bool("fixed", false, "the cache clones")
)

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("user-arenas")
	serve(p)
	p.Hold()
	keepAlive()
	os.Exit(0)
}
