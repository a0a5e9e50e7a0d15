// Command arena-reset parses batches of messages into arenas that start over with each batch. An
// alarm keeps a message of a batch that is long over: what it looks at is free for the arena, and the
// next batch will write there. Repaired (-fixed), alarms copy.
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
	count = flag.Int("count", 24, "alarms of each worker")
	fixed = flag.Bool("fixed", false, "alarms copy")
)

const (
	size        = 32 << 10
	messageSize = 64
	perBatch    = 400
)

func text(b []byte) string { return *(*string)(unsafe.Pointer(&b)) }

// scratch has a buffer of a fixed length, and how much of it is in use.
type scratch struct {
	buf  []byte
	used int
}

func (s *scratch) message(m string) string {
	b := s.buf[s.used : s.used+messageSize : s.used+messageSize]
	copy(b, m)
	s.used += messageSize
	return text(b)
}

func (s *scratch) reset() { s.used = 0 }

// lines has a buffer that grows by append: its length is what is in use.
type lines struct{ buf []byte }

func (l *lines) message(m string) string {
	begin := len(l.buf)
	l.buf = append(l.buf, m...)
	for len(l.buf) < begin+messageSize {
		l.buf = append(l.buf, ' ')
	}
	return text(l.buf[begin : begin+messageSize : begin+messageSize])
}

func (l *lines) reset() { l.buf = l.buf[:0] }

// certificate is what a parser made of one buffer: all its parts are slices of that, with room up
// to the buffer's end. It is no arena, and none of its parts were handed out before a reset.
type certificate struct {
	raw, signed, subject []byte
	extensions           []extension
}

type extension struct{ value []byte }

func newCertificate() *certificate {
	raw := make([]byte, 0, size/2)
	raw = append(raw, make([]byte, size/2-100)...)
	c := &certificate{raw: raw, signed: raw[4:900], subject: raw[4:60]}
	for i := 0; i < 10; i++ {
		c.extensions = append(c.extensions, extension{raw[100*i+8 : 100*i+80]})
	}
	return c
}

// packet is a buffer that is in use or not; a system call gets it by its first byte.
type packet struct {
	data       []byte
	references int
}

type vector struct {
	base *byte
	size int
}

func receive() (packets []*packet, vectors []vector) {
	for i := 0; i < 16; i++ {
		p := &packet{make([]byte, size/4), 1}
		packets, vectors = append(packets, p), append(vectors, vector{&p.data[0], len(p.data)})
	}
	return packets, vectors
}

type parser interface {
	message(string) string
	reset()
}

type alarm struct {
	message string
	level   int
}

type worker struct {
	parser parser
	batch  []string
	alarms []alarm
}

// run parses a batch, of which the last messages are alarms, then a short one.
func (w *worker) run() {
	for i := 0; i < perBatch; i++ {
		m := w.parser.message(fmt.Sprintf("message %d", i))
		if i >= perBatch-*count {
			if *fixed {
				m = string(append([]byte(nil), m...))
			}
			w.alarms = append(w.alarms, alarm{m, i})
		}
	}
	w.parser.reset()
	for i := 0; i < 10; i++ {
		w.batch = append(w.batch, w.parser.message("of the next batch"))
	}
}

var (
	fixedBuffer, appending *worker

	certificates []*certificate
	packets      []*packet
	vectors      []vector
)

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("arena-reset")
	fixedBuffer = &worker{parser: &scratch{buf: make([]byte, size)}}
	appending = &worker{parser: &lines{buf: make([]byte, 0, size)}}
	for i := 0; i < 4; i++ {
		certificates = append(certificates, newCertificate())
	}
	packets, vectors = receive()
	p.Add(truth.Root{Name: "main.fixedBuffer", Type: "*main.worker", Make: func() { fixedBuffer.run() }})
	p.Add(truth.Root{Name: "main.appending", Type: "*main.worker", Make: func() { appending.run() }})
	stale := 2 * *count
	if *fixed {
		stale = 0
	}
	p.Int("stale_views", int64(stale))
	p.Int("used_bytes", 10*messageSize)
	p.Int("capacity_bytes", size)
	p.Int("views", int64(2*10+stale))
	p.Hold()
	runtime.KeepAlive(fixedBuffer)
	os.Exit(0)
}
