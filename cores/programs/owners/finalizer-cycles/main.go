// Command finalizer-cycles is a session store that wanted to be tidy: sessions end themselves by
// finalizers. Those that refer to themselves by their peer are never freed, nor are those whose
// finalizer has captured its own session, and a cleanup (1.24) is given a janitor that has the cache
// it is to clean up. Others are as they should be, some files among them, and weak pointers (1.24),
// of which some outlived what they point to. The repaired program breaks each of these rings.
package main

import (
	"flag"
	"os"
	"runtime"
	"time"

	"spanwalk/programs/internal/truth"
)

var (
	fixed = flag.Bool("fixed", false, "run the repaired program")
	count = flag.Int("count", 5, "sessions of each kind")
)

const payload = 4 << 10

// session has a peer, which leads back to it unless the program is repaired.
type session struct {
	id   int
	data []byte
	peer *peer
}

type peer struct {
	of   *session
	name string
}

// stream is ended by a function that knows it already.
type stream struct {
	id   int
	data []byte
}

// lease is ordinary.
type lease struct {
	id   int
	held *[64]byte
}

var (
	sessions []*session // alive, and never to be freed when they are dropped
	leases   []*lease
	files    []*os.File
	ended    int
)

func main() {
	p := truth.Start("finalizer-cycles")
	p.SetSettle(20 * time.Millisecond)
	forget(*count)
	keep(*count)
	streams(*count)
	ordinary(*count)
	faults := func(n int) int64 {
		if *fixed {
			return 0
		}
		return int64(n)
	}
	p.Int("lost_sessions", faults(*count))
	p.Int("kept_sessions", int64(*count))
	p.Int("cyclic_sessions", faults(2**count))
	p.Int("lost_streams", faults(*count))
	p.Int("lost_bytes", faults(2**count*payload))
	p.Int("leases", int64(2**count))
	p.Int("files", 2)
	modern(p, *count)
	p.Hold()
	runtime.KeepAlive(sessions)
}

func newSession(i int) *session {
	s := &session{id: i, data: make([]byte, payload)}
	s.peer = &peer{name: "peer"}
	if !*fixed {
		s.peer.of = s
	}
	runtime.SetFinalizer(s, (*session).end)
	return s
}

func (s *session) end() { ended++ }

//go:noinline
func forget(n int) {
	for i := 0; i < n; i++ {
		newSession(i)
	}
}

//go:noinline
func keep(n int) {
	for i := 0; i < n; i++ {
		sessions = append(sessions, newSession(i))
	}
}

//go:noinline
func streams(n int) {
	for i := 0; i < n; i++ {
		newStream(i)
	}
}

//go:noinline
func newStream(i int) {
	s := &stream{id: i, data: make([]byte, payload)}
	if *fixed {
		runtime.SetFinalizer(s, func(s *stream) { s.data = nil })
	} else {
		runtime.SetFinalizer(s, func(*stream) { s.data = nil })
	}
}

//go:noinline
func ordinary(n int) {
	for i := 0; i < 2*n; i++ {
		l := &lease{id: i, held: new([64]byte)}
		runtime.SetFinalizer(l, func(l *lease) { l.held = nil })
		leases = append(leases, l)
	}
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	files = append(files, r, w)
}
