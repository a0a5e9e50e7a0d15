// Package plant starts the goroutines of a program that leaks some of them, waits until each is
// parked where it belongs, and states in the truth which of them can never run again.
//
// A group of goroutines is a root of the truth: its name is "goroutine " and the function that
// the goroutines stand in, its kind says what is to be found about them, and its type is what
// they wait for. The fact named by the function is their wait reason.
//
// With -fixed the same program does not leak. With -profiles DIR it writes its goroutine
// profiles when its input ends: only then, because the runtime marks the goroutines that its
// own search for leaks finds.
package plant

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"time"

	"spanwalk/programs/internal/truth"
)

var (
	count    = flag.Int("count", 11, "how many times to leak; a few more in each further group")
	fixed    = flag.Bool("fixed", false, "do not leak")
	profiles = flag.String("profiles", "", "folder for goroutine profiles, written at the end")
	search   = flag.Bool("search", false, "let the runtime mark the leaks that it finds, at first")
)

// What can be said of a group.
const (
	leaked  = "leaked"  // nothing that runs can ever wake them
	suspect = "suspect" // they could be woken, but nobody means to
	healthy = "healthy"
)

// healthyRounds is how often Healthy starts its goroutines, where they are not counted.
const healthyRounds = 5

// patience is how long goroutines may take to come to rest, on a machine with other work.
const patience = 30 * time.Second

// Group is a number of goroutines that come to rest at the same place.
type Group struct {
	Function string // the lowest function of their stacks, as tracebacks name it
	Wait     string // the wait reason, in the words of Go 1.27
	On       string // the type of the channel that they wait for, "select", "sync.Mutex", ...
	Each     int    // goroutines of each round; 0 stands for 1
	Holds    int    // bytes that each keeps alive, at least
}

// Program gathers the truth of one process.
type Program struct {
	*truth.Program
	planted int           // calls of plant; no two groups are of the same size
	resting map[place]int // goroutines that are at rest by now
	reasons map[string]string
	leaked  int
	suspect int
	healthy int
}

// place is where goroutines come to rest.
type place struct{ function, wait string }

// Start parses the flags and brings the runtime to rest.
func Start(name string) *Program {
	return &Program{Program: truth.Start(name), resting: map[place]int{}, reasons: map[string]string{}}
}

// Fixed is whether the program must not leak.
func Fixed() bool { return *fixed }

// Count is what -count says.
func Count() int { return *count }

// HealthyGoroutines is how many there are so far.
func (p *Program) HealthyGoroutines() int { return p.healthy }

// Leak runs round a number of times; each leaves the goroutines of the groups behind, which can
// never run again. With -fixed they must all end.
func (p *Program) Leak(round func(i int), groups ...Group) {
	p.leaked += p.plant(leaked, *count+p.planted, round, groups)
}

// Suspect is Leak for goroutines that something could wake.
func (p *Program) Suspect(round func(i int), groups ...Group) {
	p.suspect += p.plant(suspect, *count+p.planted, round, groups)
}

// Healthy runs round a few times; each leaves goroutines behind that will run again.
func (p *Program) Healthy(round func(i int), groups ...Group) {
	p.HealthyN(healthyRounds+p.planted, round, groups...)
}

// HealthyN is Healthy for so many rounds.
func (p *Program) HealthyN(rounds int, round func(i int), groups ...Group) {
	p.healthy += p.plant(healthy, rounds, round, groups)
}

// plant returns how many goroutines it has left behind. Where a round has several groups, what
// all of them retain is said of the last.
func (p *Program) plant(kind string, rounds int, round func(i int), groups []Group) int {
	p.planted++
	none := *fixed && kind != healthy
	roots := make([]truth.Root, len(groups))
	all := 0
	for k, g := range groups {
		n := rounds
		if g.Each > 0 {
			n *= g.Each
		}
		if none {
			n = 0
		}
		all += n
		p.resting[place{g.Function, g.Wait}] += n
		p.tell(kind+" "+g.Function, g.Wait)
		roots[k] = truth.Root{Name: "goroutine " + g.Function, Type: g.On, Kind: kind,
			Count: int64(n), Bytes: int64(n * g.Holds)}
	}
	expected := runtime.NumGoroutine() + all
	roots[len(roots)-1].Make = func() { p.run(rounds, round, expected) }
	for _, root := range roots {
		p.Add(root)
	}
	return all
}

// tell states a wait reason once.
func (p *Program) tell(group, wait string) {
	if p.reasons[group] == "" {
		p.reasons[group] = wait
		p.Text(group, wait)
	}
}

// run starts the goroutines and waits until so many are there and at rest.
func (p *Program) run(rounds int, round func(i int), goroutines int) {
	for i := 0; i < rounds; i++ {
		round(i)
	}
	end := time.Now().Add(patience)
	for {
		now := runtime.NumGoroutine()
		found := parked(p.resting)
		if now == goroutines && reflect.DeepEqual(found, p.resting) {
			return
		}
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "%d goroutines of %d, at rest %v of %v\n", now, goroutines,
				found, p.resting)
			os.Exit(1)
		}
		time.Sleep(time.Millisecond)
	}
}

// Hold prints the truth and serves commands until stdin ends.
func (p *Program) Hold() {
	p.Int("leaked_goroutines", int64(p.leaked))
	p.Int("suspect_goroutines", int64(p.suspect))
	p.Int("healthy_goroutines", int64(p.healthy))
	p.Bool("fixed", *fixed)
	if *search {
		searchLeaks()
	}
	p.Program.Hold()
	if *profiles != "" {
		writeProfiles(*profiles)
	}
}
