// Command dirty-pool is a short-link service that recycles what it encodes with. Some handlers give
// an encoder back while it still has the request; an error path gives one buffer back twice; one
// page was huge, and its buffer stays; the last page that was sent, and the slug cut out of another,
// are in buffers that somebody else may already be writing to. In the repaired program encoders are
// reset, huge buffers dropped, and what outlives a request is copied.
//
// Both recycle the items of a list one after the other, and a queue whose array still has the jobs
// that were taken out of it and are in a pool themselves, and frames that still have what they sent
// of the connection's buffer: that is no fault.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"spanwalk/programs/internal/truth"
)

var (
	fixed = flag.Bool("fixed", false, "run the repaired program")
	count = flag.Int("count", 8, "encoders in the pool, beside those of the cycle before")
)

const (
	page    = 1 << 10
	giant   = 1 << 20
	body    = 4 << 10
	stock   = 5
	scratch = 128 << 10
)

// encoder writes one answer.
type encoder struct {
	buf   bytes.Buffer
	depth int
	req   *http.Request
	sink  interface{} // what it writes to, any type
	table *[256]byte  // what all encoders share
}

// link is the answer to one request.
type link struct {
	slug   string
	target string
	hits   int
}

// render is kept by value: its pool holds boxes.
type render struct {
	lines []string
	last  *link
}

// cell is one of an array: its pool has pointers into that.
type cell struct {
	next *cell
	name [24]byte
}

// item is one of a linked list, which is emptied from the front.
type item struct {
	next *item
	n    int
}

// job is what a queue is handed.
type job struct {
	id    int
	reply string
}

// frame is a part of an answer on its way out.
type frame struct {
	stream  int
	payload []byte
}

// service has a pool in an object, and one behind a pointer.
type service struct {
	name    string
	scratch sync.Pool
	boxes   *sync.Pool
	lent    []*[]byte
}

var (
	escapes  = &[256]byte{'<': 1, '>': 1, '&': 1}
	encoders = sync.Pool{New: newEncoder}
	buffers  = sync.Pool{New: func() interface{} { return new(bytes.Buffer) }}
	cells    sync.Pool
	items    sync.Pool
	jobs     sync.Pool
	queues   sync.Pool
	frames   sync.Pool
	output   = bufio.NewWriterSize(io.Discard, page) // of the connection
	unused   = sync.Pool{New: func() interface{} { return new(link) }}
	shortly  *service

	lastPage *bytes.Buffer // sent last: for the next one who asks for the same
	slab     []cell        // all cells
	slug     []byte        // of the link that is asked for most
	links    = map[string]*link{}
)

func newEncoder() interface{} { return &encoder{table: escapes} }

func main() {
	p := truth.Start("dirty-pool")
	shortly = &service{name: "shortly", boxes: new(sync.Pool)}
	shortly.scratch.New = newScratch
	for i := 0; i < 100; i++ {
		s := strconv.Itoa(i)
		links[s] = &link{slug: s, target: strings.Repeat("/", i)}
	}
	p.Between(func() { serveEncoders(*count / 2) })
	p.AtAbort(func() {
		serveEncoders(*count)
		servePages()
		serveScratch()
		serveBoxes()
		serveCells()
		emptyList()
		emptyQueue()
		sendFrames()
	})
	state(p)
	p.Hold()
}

// state says what the pools hold in the image that the command abort leaves.
func state(p *truth.Program) {
	faults := func(n int) int64 {
		if *fixed {
			return 0
		}
		return int64(n)
	}
	p.Int("encoders", int64(*count+*count/2))
	p.Int("victim_encoders", int64(*count/2))
	p.Int("request_encoders", faults(kept(*count)+kept(*count/2)))
	p.Int("request_bytes", faults((kept(*count)+kept(*count/2))*body))
	p.Int("buffers", 3*stock+faults(5))
	p.Int("giant_bytes", faults(giant))
	p.Int("referenced_buffers", faults(2))
	p.Int("twice_buffers", faults(1))
	p.Int("scratch", stock)
	p.Int("scratch_bytes", stock*scratch)
	p.Int("boxes", stock)
	p.Int("cells", stock)
	p.Int("items", stock)
	p.Int("live_elements", faults(stock)) // each still has the link it rendered
}

// kept is how many of n encoders keep their request.
func kept(n int) int { return (n + 2) / 3 }

// serveEncoders handles n requests at once.
//
//go:noinline
func serveEncoders(n int) {
	taken := make([]*encoder, n)
	for i := range taken {
		taken[i] = newEncoder().(*encoder)
		taken[i].serve(i)
	}
	for i, e := range taken {
		e.depth = 0
		e.buf.Reset()
		e.sink = nil
		if i%3 != 0 || *fixed {
			e.req = nil
		}
		encoders.Put(e)
	}
}

//go:noinline
func (e *encoder) serve(i int) {
	payload := bytes.Repeat([]byte{'p'}, body)
	req, err := http.NewRequest("POST", "http://short.example/"+strconv.Itoa(i), bytes.NewReader(payload))
	if err != nil {
		panic(err)
	}
	e.req = req
	e.sink = links
	e.buf.Grow(page)
	e.buf.WriteString(req.URL.Path)
}

//go:noinline
func newPage(size int) *bytes.Buffer {
	b := new(bytes.Buffer)
	b.Grow(size)
	b.WriteString("<a href=popular>")
	return b
}

//go:noinline
func servePages() {
	for i := 0; i < 3*stock; i++ {
		buffers.Put(newPage(page))
	}
	huge, sent, cut, twice := newPage(giant), newPage(page), newPage(page), newPage(page)
	if *fixed {
		lastPage = bytes.NewBuffer(append([]byte(nil), sent.Bytes()...))
		slug = append([]byte(nil), cut.Bytes()[8:15]...)
		return
	}
	buffers.Put(huge)
	lastPage = sent
	buffers.Put(sent)
	slug = cut.Bytes()[8:15]
	buffers.Put(cut)
	buffers.Put(twice)
	buffers.Put(twice) // the error path did so already
}

func newScratch() interface{} {
	b := make([]byte, scratch)
	return &b
}

// serveScratch leaves large buffers, all alike: that is what this pool is for.
//
//go:noinline
func serveScratch() {
	for i := 0; i < stock; i++ {
		shortly.scratch.Put(newScratch())
	}
	lent := newScratch().(*[]byte) // in use, and in no pool
	shortly.lent = append(shortly.lent, lent)
}

//go:noinline
func serveBoxes() {
	for i := 0; i < stock; i++ {
		r := render{lines: make([]string, 0, 16)}
		if !*fixed {
			r.last = links[strconv.Itoa(i)]
		}
		shortly.boxes.Put(r)
	}
}

//go:noinline
func serveCells() {
	slab = make([]cell, 4*stock)
	for i := 0; i < stock; i++ {
		cells.Put(&slab[i])
	}
}

// emptyList leaves in each item the pointer to the next one, which is in the pool too.
//
//go:noinline
func emptyList() {
	var head *item
	for i := 0; i < stock; i++ {
		head = &item{next: head, n: i}
	}
	for head != nil {
		empty := head
		head = head.next
		items.Put(empty)
	}
}

// emptyQueue gives back the jobs, then the queue, cut to no length.
//
//go:noinline
func emptyQueue() {
	queue := new([]*job)
	for i := 0; i < stock; i++ {
		*queue = append(*queue, &job{id: i})
	}
	for _, j := range *queue {
		jobs.Put(j)
	}
	*queue = (*queue)[:0]
	queues.Put(queue)
}

// sendFrames leaves in each frame the slice that it was sent from, as net/http does with HTTP/2:
// whoever takes one sets all of it.
//
//go:noinline
func sendFrames() {
	buffer := output.AvailableBuffer()[:page]
	for i := 0; i < stock; i++ {
		frames.Put(&frame{i, buffer[:100*(i+1)]})
	}
}
