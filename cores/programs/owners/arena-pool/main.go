// Command arena-pool takes buffers from a sync.Pool for each frame that it reads, and puts them back
// when the frame was handled. The log of errors keeps a part of a frame: the buffer is in the pool, and
// whoever takes it next writes over what the log looks at. Repaired (-fixed), the log copies.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 6, "frames with errors, of each kind")
	fixed = flag.Bool("fixed", false, "the log copies")
)

const size = 16 << 10

func text(b []byte) string { return *(*string)(unsafe.Pointer(&b)) }

// frame is a buffer with what was read into it.
type frame struct {
	buf []byte
	n   int
}

func (f *frame) read(s string) string {
	begin := f.n
	f.n += copy(f.buf[f.n:], s)
	return text(f.buf[begin:f.n:f.n])
}

var (
	frames = sync.Pool{New: func() interface{} { return &frame{buf: make([]byte, size)} }}
	plain  = sync.Pool{New: func() interface{} { b := make([]byte, size); return &b }}
)

type failure struct {
	part string
	code int
}

var failures []failure

func keep(part string) {
	if *fixed {
		part = string(append([]byte(nil), part...))
	}
	failures = append(failures, failure{part, len(failures)})
}

// handle reads one frame; two parts of it go to the log.
func handle(f *frame, number int) {
	f.n = 0
	for i := 0; i < 20; i++ {
		part := f.read(fmt.Sprintf("part %02d of frame %04d", i, number))
		if i >= 18 {
			keep(part)
		}
	}
}

func handlePlain(b *[]byte, number int) {
	n := copy(*b, fmt.Sprintf("error in %04d", number))
	keep(text((*b)[:n:n]))
}

// serve has all its buffers at once, and gives them back: a collection later they are still there.
func serve() {
	var taken []*frame
	var buffers []*[]byte
	for i := 0; i < *count; i++ {
		f, b := frames.Get().(*frame), plain.Get().(*[]byte)
		handle(f, i)
		handlePlain(b, i)
		taken, buffers = append(taken, f), append(buffers, b)
	}
	for i := range taken {
		frames.Put(taken[i])
		plain.Put(buffers[i])
	}
}

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("arena-pool")
	failures = make([]failure, 0, 3**count)
	p.Between(serve)
	views := 3 * *count
	if *fixed {
		views = 0
	}
	p.Int("dangling_views", int64(views))
	p.Int("buffers", int64(2**count))
	p.Int("buffer_bytes", size)
	p.Hold()
	runtime.KeepAlive(failures)
	os.Exit(0)
}
