// Command readers has one of each structure of the library that owns a buffer,
// in a state that is known: so much is unread or unwritten, the connection is
// closed, the end was reached.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/gob"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"spanwalk/programs/internal/truth"
	"spanwalk/programs/owners/readers/proto"
)

// All allocations are sampled.
func init() { runtime.MemProfileRate = 1 }

type shelf struct {
	closedReader *bufio.Reader // of a connection that was closed
	openReader   *bufio.Reader
	writer       *bufio.Writer // to a connection
	scanner      *bufio.Scanner
	file         *bufio.Reader // of a file that was closed
	failing      *bufio.Writer
	buffer       bytes.Buffer
	bytes        *bytes.Reader
	text         *strings.Reader
	builder      strings.Builder
	gunzip       *gzip.Reader
	gzip         *gzip.Writer
	json         *json.Decoder
	ended        *json.Decoder
	gob          *gob.Decoder
	message      *proto.Buffer
	pipe         *bufio.Reader
	conns        []net.Conn
}

// view looks at parts of a frame.
type view struct {
	head []byte
	body []byte
	line string
}

var (
	held      *shelf
	lastFrame []byte
	frame     view
	pinned    []byte // two bytes of a file that was read whole
	first     []byte // one array, two roots
	second    []byte
	buffers   = sync.Pool{New: func() interface{} { return new(bytes.Buffer) }}
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// pointer is where a slice or string among the fields of a value begins.
func pointer(of interface{}, path ...string) int64 {
	v := reflect.ValueOf(of)
	for _, name := range path {
		for v.Kind() == reflect.Ptr || v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		v = v.FieldByName(name)
	}
	if v.Kind() == reflect.String {
		return int64(*(*uintptr)(unsafe.Pointer(v.UnsafeAddr())))
	}
	return int64(v.Pointer())
}

// pair is a connection and what the other side writes to it.
func pair(sent []byte) (net.Conn, net.Conn) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	must(err)
	server, err := listener.Accept()
	must(err)
	_, err = client.Write(sent)
	must(err)
	return server, client
}

// read takes n bytes off a new reader, of which the other side has sent 1,000.
func read(n int) (*bufio.Reader, net.Conn) {
	server, client := pair(make([]byte, 1000))
	held.conns = append(held.conns, client)
	r := bufio.NewReader(server)
	_, err := r.Peek(1000)
	must(err)
	_, err = io.CopyN(io.Discard, r, int64(n))
	must(err)
	return r, server
}

func connections(p *truth.Program) {
	r, conn := read(300)
	must(conn.Close())
	held.closedReader = r
	p.Int("closed_reader_address", pointer(r, "buf"))
	p.Int("closed_reader_unread", 700)

	r, conn = read(1000)
	held.conns = append(held.conns, conn)
	held.openReader = r
	p.Int("open_reader_address", pointer(r, "buf"))
	p.Int("open_reader_unread", 0)

	held.writer = bufio.NewWriterSize(conn, 2000)
	held.writer.WriteString("seventeen letters")
	p.Int("writer_address", pointer(held.writer, "buf"))
	p.Int("writer_unwritten", 17)

	ours, theirs := net.Pipe()
	go theirs.Write(make([]byte, 100))
	held.pipe = bufio.NewReaderSize(ours, 200)
	_, err := held.pipe.ReadByte()
	must(err)
	must(ours.Close())
	p.Int("pipe_address", pointer(held.pipe, "buf"))
	p.Int("pipe_unread", 99)
}

type full struct{ limit int }

func (f full) Write([]byte) (int, error) { return 0, diskFull{"/var/spool", f.limit} }

type diskFull struct {
	path  string
	limit int
}

func (d diskFull) Error() string { return d.path + " is full" }

func files(p *truth.Program) {
	f, err := os.Open("/proc/self/maps")
	must(err)
	held.file = bufio.NewReaderSize(f, 512)
	_, err = held.file.Peek(512)
	must(err)
	held.file.Discard(12)
	must(f.Close())
	p.Int("file_address", pointer(held.file, "buf"))
	p.Int("file_unread", 500)

	held.failing = bufio.NewWriterSize(full{4096}, 64)
	held.failing.WriteString("0123456789")
	held.failing.Flush()
	p.Int("failing_address", pointer(held.failing, "buf"))
	p.Int("failing_unwritten", 10)
}

func plain(p *truth.Program) {
	held.scanner = bufio.NewScanner(strings.NewReader("one\ntwo\nthree\n"))
	held.scanner.Scan()
	p.Int("scanner_address", pointer(held.scanner, "buf"))
	p.Int("scanner_unread", int64(len("two\nthree\n")))

	held.buffer.Write(make([]byte, 1000))
	held.buffer.Next(300)
	p.Int("buffer_address", pointer(&held.buffer, "buf"))
	p.Int("buffer_unread", 700)

	held.bytes = bytes.NewReader(make([]byte, 2000))
	held.bytes.Seek(500, io.SeekStart)
	p.Int("bytes_address", pointer(held.bytes, "s"))
	p.Int("bytes_unread", 1500)

	held.text = strings.NewReader(strings.Repeat("text", 500))
	held.text.ReadByte()
	p.Int("text_address", pointer(held.text, "s"))
	p.Int("text_unread", 1999)

	held.builder.Grow(1000)
	held.builder.WriteString(strings.Repeat("-", 123))
	p.Int("builder_address", pointer(&held.builder, "buf"))
	p.Int("builder_written", 123)

	held.message = proto.NewBuffer(make([]byte, 600))
	held.message.DecodeRawBytes(100)
	p.Int("message_address", pointer(held.message, "buf"))
	p.Int("message_unread", 500)
}

func compressed(p *truth.Program) {
	var file bytes.Buffer
	w, err := gzip.NewWriterLevel(&file, gzip.NoCompression)
	must(err)
	w.Write(make([]byte, 100000))
	must(w.Close())
	r, err := gzip.NewReader(&file)
	must(err)
	_, err = io.CopyN(io.Discard, r, 1)
	must(err)
	_, err = io.ReadFull(r, make([]byte, 99))
	must(err)
	held.gunzip = r
	const window = 32 << 10 // compress/flate fills it, then gives out
	p.Int("gunzip_address", pointer(r, "decompressor", "dict", "hist"))
	p.Int("gunzip_unread", window-100)

	held.gzip = gzip.NewWriter(io.Discard)
	held.gzip.Write(make([]byte, 500))
	p.Int("gzip_address", pointer(held.gzip, "compressor", "d", "window"))
	p.Int("gzip_unwritten", 500)
}

func coders(p *truth.Program) {
	held.json = json.NewDecoder(strings.NewReader(`{"a": 1} {"b": 2} {"c": 3}`))
	var v struct{}
	must(held.json.Decode(&v))
	p.Int("json_unread", left(held.json))
	p.Int("json_address", decoderBuffer(held.json))

	held.ended = json.NewDecoder(strings.NewReader(`{"a": 1} `))
	for held.ended.Decode(&v) == nil {
	}
	p.Int("ended_unread", left(held.ended))
	p.Int("ended_address", decoderBuffer(held.ended))

	var stream bytes.Buffer
	e := gob.NewEncoder(&stream)
	must(e.Encode(strings.Repeat("gob", 1000)))
	held.gob = gob.NewDecoder(&stream)
	var s string
	must(held.gob.Decode(&s))
	p.Int("gob_unread", 0)
	p.Int("gob_address", pointer(held.gob, "buf", "data"))
}

func left(d *json.Decoder) int64 {
	n, err := io.Copy(io.Discard, d.Buffered())
	must(err)
	return n
}

// decoderBuffer finds it in either of the two ways that decoders are made.
func decoderBuffer(d *json.Decoder) int64 {
	if reflect.TypeOf(*d).Field(0).Name == "dec" {
		return pointer(d, "dec", "s", "decodeBuffer", "buf")
	}
	return pointer(d, "buf")
}

// A handler that has read a part of a request's body and waits.
func requests(p *truth.Program) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	waiting := make(chan int64)
	handler := func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadFull(r.Body, make([]byte, 300))
		must(err)
		waiting <- pointer(r.Body, "src", "R", "buf")
		<-waiting
	}
	go http.Serve(listener, http.HandlerFunc(handler))
	client, err := net.Dial("tcp", listener.Addr().String())
	must(err)
	held.conns = append(held.conns, client)
	_, err = io.WriteString(client, "POST /write HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000\r\n\r\n"+
		strings.Repeat("x", 1000))
	must(err)
	p.Int("request_address", <-waiting)
	p.Int("request_unread", 700)
}

// makeFrame allocates; header is inlined into it.
//
//go:noinline
func makeFrame(n int) []byte {
	b := header(n)
	b[0] = byte(n)
	return b
}

func header(n int) []byte { return make([]byte, n) }

func frames(p *truth.Program) {
	b := makeFrame(8000)
	frame = view{head: b[100:150:200], body: b[140:300]}
	line := b[1000:1100]
	frame.line = *(*string)(unsafe.Pointer(&line))
	p.Int("frame_address", int64(uintptr(unsafe.Pointer(&b[0]))))
	p.Int("frame_used", 300)
	p.Int("frame_requested", 8000)
	p.Int("frame_largest_hole", 8000-1100)
	p.Text("frame_function", "main.makeFrame")
	p.Text("frame_inlined", "main.header")

	lastFrame = makeFrame(3000)[1000:1004]
	p.Int("last_frame_address", int64(uintptr(unsafe.Pointer(&lastFrame[0])))-1000)

	pinned = makeFrame(1 << 20)[3:5:5]
	p.Int("pinned_address", int64(uintptr(unsafe.Pointer(&pinned[0])))-3)

	first = make([]byte, 5000)
	second = first[4000:]
	p.Int("shared_address", int64(uintptr(unsafe.Pointer(&first[0]))))
}

func main() {
	p := truth.Start("readers")
	held = new(shelf)
	connections(p)
	files(p)
	plain(p)
	compressed(p)
	coders(p)
	requests(p)
	frames(p)
	var sampled []runtime.MemProfileRecord
	n, _ := runtime.MemProfile(sampled, true)
	p.Int("profiled_stacks", int64(n))
	// A collection makes what is in a pool its victims, the next one drops them.
	pooled := int64(0)
	p.Between(func() {
		if pooled != 0 {
			return
		}
		b := new(bytes.Buffer)
		b.Grow(3000)
		pooled = pointer(b, "buf")
		p.Int("pooled_address", pooled)
		buffers.Put(b)
	})
	p.Hold()
}
