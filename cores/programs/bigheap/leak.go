package main

import (
	"fmt"

	"spanwalk/programs/internal/truth"
)

// session is three objects: itself, its key and its buffer. The key has 24
// bytes, so that no session shares a block of the tiny allocator.
type session struct {
	id     uint64
	user   string
	buf    []byte
	next   *session
	weight float64
}

// registry is never cleaned up.
type registry struct {
	sessions map[string]*session
	newest   *session
}

const (
	sessionBuffer = 96
	// One session for so many objects makes the leak a tenth of the bytes.
	objectsPerSession = 36
)

var (
	leak   *registry
	shared []*session
)

func newSession(i int) *session {
	return &session{
		id:     uint64(i),
		user:   fmt.Sprintf("session-%016d", i),
		buf:    make([]byte, sessionBuffer),
		weight: float64(i) / 3,
	}
}

// plant makes the leak while the heap is small, so that it can be measured.
// The exclusive sessions are linked in a list; those that main.shared holds as
// well have no link, or they would lead to the others.
func plant(p *truth.Program, n int) {
	count := max(n/objectsPerSession, 10)
	var common []*session
	if *sharedHalf {
		p.Add(truth.Root{Name: "main.leak+main.shared", Type: "*main.session", Kind: "shared",
			Count: int64(count), Bytes: int64(count) * (64 + 24 + sessionBuffer),
			Make: func() {
				common = make([]*session, count)
				for i := range common {
					common[i] = newSession(count + i)
				}
			}})
	}
	p.Add(truth.Root{Name: "main.leak", Type: "*main.registry", Count: int64(count),
		Make: func() {
			leak = &registry{sessions: make(map[string]*session, count+len(common))}
			for i := 0; i < count; i++ {
				s := newSession(i)
				s.next, leak.newest = leak.newest, s
				leak.sessions[s.user] = s
			}
			for _, s := range common {
				leak.sessions[s.user] = s
			}
		}, Drop: func() { leak = nil }})
	if !*sharedHalf {
		return
	}
	// The slice is the only thing that main.shared has alone; it was made
	// (and measured) with the sessions.
	p.Add(truth.Root{Name: "main.shared", Type: "[]*main.session", Count: int64(count),
		Make: func() { shared = append(make([]*session, 0, count), common...) },
		Drop: func() { shared = nil }})
	common = nil
}
