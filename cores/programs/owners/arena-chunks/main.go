// Command arena-chunks has an arena for each request: a list of chunks, the newest first, which is
// dropped with the request. The audit log keeps who called: one string, which looks into the newest
// chunk, and with that chunk all the others of its list stay. Repaired (-fixed), the log has copies.
//
// Beside it a table of names has a slice of chunks, all of which are in use.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 20, "requests that were served")
	fixed = flag.Bool("fixed", false, "the audit log copies")
)

const (
	chunkSize = 16 << 10
	perArena  = 4 // chunks of each request
	nameSize  = 32
)

type chunk struct {
	next *chunk
	used int
	data [chunkSize]byte
}

// arena is the newest of its chunks.
type arena struct{ head *chunk }

func (a *arena) take(n int) []byte {
	if a.head == nil || a.head.used+n > chunkSize {
		a.head = &chunk{next: a.head}
	}
	c := a.head
	b := c.data[c.used : c.used+n : c.used+n]
	c.used += n
	return b
}

func text(b []byte) string { return *(*string)(unsafe.Pointer(&b)) }

type header struct{ name, value string }

type request struct {
	arena   arena
	headers []header
}

func (r *request) read(name, value string) {
	b := r.arena.take(len(name) + len(value))
	copy(b, name)
	copy(b[len(name):], value)
	r.headers = append(r.headers, header{text(b[:len(name)]), text(b[len(name):])})
}

// entry of the audit log.
type entry struct {
	caller string
	status int
}

var (
	log    []entry
	active *request // is being served
	table  *names
)

// receive reads a request whose body fills so many chunks; the caller's name comes in a trailer.
func receive(r *request, number, chunks int) {
	for i := 0; i < chunks-1; i++ {
		r.arena.take(chunkSize)
	}
	for i := 0; i < 20; i++ {
		r.read(fmt.Sprintf("X-Header-%02d", i), fmt.Sprintf("value %d", i))
	}
	r.read("Caller", fmt.Sprintf("service-%04d", number))
}

// serve ends with the request, but for what is logged.
func serve(number int) {
	r := &request{}
	receive(r, number, perArena)
	caller := r.headers[len(r.headers)-1].value
	if *fixed {
		caller = string(append([]byte(nil), caller...))
	}
	log = append(log, entry{caller, 200})
}

// names are never forgotten: the strings are all in use.
type names struct {
	chunks [][]byte
	off    int
	list   []string
}

func (t *names) add(name string) {
	if len(t.chunks) == 0 || t.off+nameSize > chunkSize {
		t.chunks, t.off = append(t.chunks, make([]byte, chunkSize)), 0
	}
	b := t.chunks[len(t.chunks)-1][t.off : t.off+nameSize]
	copy(b, name)
	t.off += nameSize
	t.list = append(t.list, text(b))
}

const tableChunks = 3

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("arena-chunks")
	active, table = &request{}, &names{}
	p.Add(truth.Root{Name: "main.log", Type: "[]main.entry", Count: int64(*count), Make: func() {
		for i := 0; i < *count; i++ {
			serve(i)
		}
	}})
	p.Add(truth.Root{Name: "main.active", Type: "*main.request", Make: func() { receive(active, 0, 2) }})
	p.Add(truth.Root{Name: "main.table", Type: "*main.names", Make: func() {
		for i := 0; i < tableChunks*chunkSize/nameSize-8; i++ {
			table.add(fmt.Sprintf("name number %d", i))
		}
	}})
	arenas := *count
	if *fixed {
		arenas = 0
	}
	p.Int("retired_arenas", int64(arenas))
	p.Int("retired_chunks", int64(arenas*perArena))
	p.Int("caller_bytes", int64(len("service-0000")))
	p.Int("chunk_bytes", chunkSize)
	p.Int("active_chunks", 2)
	p.Int("active_views", 42)
	p.Int("active_used_bytes", int64(active.arena.head.used+chunkSize))
	p.Int("table_chunks", tableChunks)
	p.Int("table_views", int64(len(table.list)))
	p.Int("table_used_bytes", int64(len(table.list)*nameSize))
	p.Hold()
	runtime.KeepAlive(log)
	os.Exit(0)
}
