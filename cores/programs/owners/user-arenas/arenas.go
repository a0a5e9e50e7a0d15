//go:build goexperiment.arenas

package main

import (
	"arena"
	"runtime"
	"runtime/debug"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

// user has a pointer: it fills a chunk from the front.
type user struct {
	next *user
	id   int
	name [6]int
}

type request struct {
	arena *arena.Arena
	users *user
	body  []byte
}

var (
	active  *request // is being served
	cache   []*user  // by number; of requests that are over
	session *user    // of the request that was answered last
)

const (
	activeUsers = 1000
	bodySize    = 1 << 20
	bigSize     = 2 << 20 // 3 of them and a few users fill a chunk
)

// decode fills a request.
func decode(users, body int) *request {
	r := &request{arena: arena.NewArena()}
	for i := 0; i < users; i++ {
		u := arena.New[user](r.arena)
		u.id, u.next = i, r.users
		r.users = u
	}
	r.body = arena.MakeSlice[byte](r.arena, body, body)
	return r
}

func keep(u *user) *user {
	if *fixed {
		u = arena.Clone(u)
		u.next = nil
	}
	return u
}

// answer caches some users of a large request and frees it: its first chunk is full, its second is
// what the next arena goes on with.
func answer() {
	r := decode(*count, bigSize)
	for i := 0; i < 3; i++ {
		arena.MakeSlice[byte](r.arena, bigSize, bigSize)
	}
	for u := r.users; u != nil; u = u.next {
		cache = append(cache, keep(u))
	}
	last := arena.New[user](r.arena)
	session = keep(last)
	runtime.GC()
	r.arena.Free() // no collection runs: the memory goes at once
}

func serve(p *truth.Program) {
	debug.SetGCPercent(-1)
	cache = make([]*user, 0, *count)
	active = decode(activeUsers, bodySize)
	answer()
	freed, spare := *count, 1
	if *fixed {
		freed, spare = 0, 0
	}
	p.Int("user_arenas", 1)
	p.Int("pointer_bytes", int64(activeUsers*unsafe.Sizeof(user{})))
	p.Int("plain_bytes", bodySize)
	p.Int("freed_pointers", int64(freed))
	p.Int("spare_pointers", int64(spare))
}

func keepAlive() {
	runtime.KeepAlive(active)
	runtime.KeepAlive(session)
}
