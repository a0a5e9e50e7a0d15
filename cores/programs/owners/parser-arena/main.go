// Command parser-arena is a gateway for line protocol that parses without copying: a line is read
// into the chunk of an arena, and measurement, tags and fields are strings that look into it. What
// was written to the database is forgotten, but the index of series keeps the key of each series
// that it has seen first: 20 bytes of a chunk of 64 KiB, and the chunk with it. Repaired (-fixed),
// the index has a copy of its own.
package main

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"runtime"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 40, "chunks that were filled and are done with")
	fixed = flag.Bool("fixed", false, "the index copies its keys")
)

const chunkSize = 64 << 10

// arena hands out bytes of its chunk; when there is not enough left it takes another.
type arena struct {
	chunk []byte
	used  int
}

func (a *arena) take(n int) []byte {
	if a.used+n > len(a.chunk) {
		a.chunk, a.used = make([]byte, chunkSize), 0
	}
	b := a.chunk[a.used : a.used+n : a.used+n]
	a.used += n
	return b
}

// text is the bytes as a string, without a copy.
func text(b []byte) string { return *(*string)(unsafe.Pointer(&b)) }

type tag struct{ key, value string }

// point is one line: cpu,host=web-17 usage=97 1700000000
type point struct {
	measurement string
	tag         tag
	field       []byte
}

type series struct {
	key    string
	points int
}

type gateway struct {
	arena  arena
	batch  []point            // since the last write to the database
	series map[uint64]*series // by a hash of the key
}

var ingest *gateway

func hash(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return h.Sum64()
}

// serve reads one line and adds it to the batch.
func (g *gateway) serve(line string) {
	b := g.arena.take(len(line))
	copy(b, line)
	p := parse(b)
	key := text(b[:20])
	h := hash(key)
	s := g.series[h]
	if s == nil {
		if *fixed {
			key = string(b[:20])
		}
		s = &series{key: key}
		g.series[h] = s
	}
	s.points++
	g.batch = append(g.batch, p)
}

// parse knows lines by their places: all are of one length.
func parse(b []byte) point {
	return point{
		measurement: text(b[0:3]),
		tag:         tag{text(b[4:8]), text(b[9:20])},
		field:       b[21:31:31],
	}
}

// flush writes the batch to the database.
func (g *gateway) flush() { g.batch = make([]point, 0, 64) }

func line(host, usage int) string {
	return fmt.Sprintf("cpu,host=web-%07d usage=%04d 1700000000\n", host, usage)
}

// fill reads lines until the chunk is full: the first is of a host that was never seen.
func (g *gateway) fill(host int) {
	g.serve(line(host, 0))
	for i := 1; g.arena.used+len(line(0, 0)) <= chunkSize; i++ {
		g.serve(line(host, i))
		if len(g.batch) == cap(g.batch) {
			g.flush()
		}
	}
	g.flush()
}

const pending = 16 // lines that are not yet written

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("parser-arena")
	ingest = &gateway{series: map[uint64]*series{}}
	ingest.flush()
	p.Add(truth.Root{Name: "main.ingest", Type: "*main.gateway", Count: int64(*count), Make: func() {
		for i := 0; i < *count; i++ {
			ingest.fill(i)
		}
		for i := 0; i < pending; i++ {
			ingest.serve(line(*count, i)) // the first line is of a new host
		}
	}})
	// What the key looks at beyond the point's parts: a comma and an equals sign.
	retired, views, bytes := *count, 4*pending+1, (3+4+11+10)*pending+2
	if *fixed {
		retired, views, bytes = 0, 4*pending, (3+4+11+10)*pending
	}
	p.Int("retired_chunks", int64(retired))
	p.Int("one_view_chunks", int64(retired))
	p.Int("chunk_bytes", chunkSize)
	p.Int("key_bytes", 20)
	p.Int("used_bytes", int64(ingest.arena.used))
	p.Int("pending_views", int64(views))
	p.Int("pending_bytes", int64(bytes))
	p.Hold()
	runtime.KeepAlive(ingest)
	os.Exit(0)
}
