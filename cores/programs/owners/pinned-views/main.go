// Command pinned-views is a log processor that uses memory without needing it.
// It reads logs by the megabyte and keeps two bytes of each read; its header
// table keeps small strings of large requests; its batches were made for far
// more rows than came; a burst has left its maps and buffers large; the fields
// of its events are parsed anew for each event, although their texts are few.
//
// With -fixed it copies what it keeps, makes things as large as they are
// needed, and interns its texts.
//
// Facts are named TABLE/FIELD/COLUMN, as buffers reports them.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net"
	"strings"

	"spanwalk/programs/internal/truth"
)

var (
	fixed = flag.Bool("fixed", false, "keep only what is needed")
	count = flag.Int("count", 24, "log reads of 1 MiB")
)

const (
	readSize     = 1 << 20
	requestSize  = 64 << 10
	documentSize = 32 << 10
	pageSize     = 16 << 10
	classOf128   = 128
)

type session struct {
	id   []byte // of the log: line[3:5]
	seen int
}

type header struct {
	name, value string // of the request
}

// trailer keeps a part of a page whose capacity ends with it.
type trailer struct {
	mark []byte
}

// cursor points to one number in a table of them.
type cursor struct {
	at   *uint64
	name string
}

type batch struct {
	rows []row
}

type row struct{ id, size int64 }

type node struct {
	children []*node
}

type grove struct {
	trees []*node
	name  string
}

type worker struct {
	scratch []byte
}

type burst struct {
	pending map[int]int
}

type encoder struct {
	out  bytes.Buffer
	text *strings.Builder
}

type client struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

type event struct {
	host, method string
	at           int64
}

// pump is a reader whose buffer is in use: nothing of it is wasted.
type pump struct {
	buf    []byte
	window []byte
}

var (
	sessions []*session
	headers  []header
	lines    []string
	routes   map[string]int
	trailers []trailer
	cursors  []cursor
	batches  []*batch
	forest   *grove
	workers  []worker
	bursts   []*burst
	encoders []*encoder
	clients  []client
	events   []event
	pumps    []*pump
	names    = map[string]string{}
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// fill makes bytes that look like a log; no two parts of any are equal.
func fill(size, n int) []byte {
	b := make([]byte, size)
	state := uint64(n)*0x9e3779b97f4a7c15 + 1
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte('a' + state>>33%26)
	}
	return b
}

// keep is what the repaired program does with a part that it wants.
func keep(b []byte) []byte {
	if *fixed {
		return append([]byte(nil), b...)
	}
	return b
}

func keepText(s string) string {
	if *fixed {
		return string(append([]byte(nil), s...))
	}
	return s
}

// state states what a row of a table has, in the program that is not fixed.
func state(p *truth.Program, row string, columns ...interface{}) {
	for i := 0; i < len(columns) && !*fixed; i += 2 {
		p.Int(row+"/"+columns[i].(string), int64(columns[i+1].(int)))
	}
}

// ---- small views of large arrays ----

//go:noinline
func readLogs(p *truth.Program) {
	sessions = make([]*session, *count)
	for i := range sessions {
		line := fill(readSize, i)
		sessions[i] = &session{id: keep(line[3:5]), seen: i}
	}
	n := *count
	state(p, "pinned/main.session.id", "arrays", n, "views", n, "size_bytes", n*readSize,
		"used_bytes", n*2, "wasted_bytes", n*(readSize-2), "spare_bytes", n*(readSize-5))
}

//go:noinline
func readRequests(p *truth.Program) {
	const n = 40
	headers = make([]header, 0, n)
	for i := 0; i < n; i++ {
		text := string(fill(requestSize, 1000+i))
		// The two overlap: 24 bytes in all.
		headers = append(headers, header{keepText(text[100:116]), keepText(text[108:124])})
	}
	// Both fields have as many views: the array is the first one's.
	state(p, "pinned/main.header.name", "arrays", n, "views", 2*n, "size_bytes", n*requestSize,
		"used_bytes", n*24, "wasted_bytes", n*(requestSize-24), "spare_bytes", 0)
}

//go:noinline
func readDocuments(p *truth.Program) {
	const n, each = 30, 3
	lines = make([]string, 0, n*each)
	for i := 0; i < n; i++ {
		text := string(fill(documentSize, 2000+i))
		for j := 0; j < each; j++ {
			lines = append(lines, keepText(text[j*1000:j*1000+50+j]))
		}
	}
	used := n * (50 + 51 + 52)
	state(p, "pinned/main.lines[]", "arrays", n, "views", n*each, "size_bytes", n*documentSize,
		"used_bytes", used, "wasted_bytes", n*documentSize-used, "spare_bytes", 0)
}

//go:noinline
func readRoutes(p *truth.Program) {
	const n = 25
	routes = make(map[string]int, n)
	for i := 0; i < n; i++ {
		text := string(fill(pageSize, 3000+i))
		routes[keepText(text[4:30])] = i
	}
	state(p, "pinned/map[string]int key", "arrays", n, "views", n, "size_bytes", n*pageSize,
		"used_bytes", n*26, "wasted_bytes", n*(pageSize-26), "spare_bytes", 0)
}

//go:noinline
func readTrailers(p *truth.Program) {
	const n = 10
	trailers = make([]trailer, n)
	for i := range trailers {
		page := fill(pageSize, 4000+i)
		// From the start, but without the room behind it.
		trailers[i].mark = keep(page[0:20:20])
	}
	state(p, "pinned/main.trailer.mark", "arrays", n, "views", n, "size_bytes", n*pageSize,
		"used_bytes", n*20, "wasted_bytes", n*(pageSize-20), "spare_bytes", 0)
}

//go:noinline
func readCursors(p *truth.Program) {
	const n = 5
	cursors = make([]cursor, n)
	for i := range cursors {
		table := make([]uint64, pageSize/8)
		table[100+i] = uint64(i)
		if cursors[i].at = &table[100+i]; *fixed {
			cursors[i].at = new(uint64)
		}
	}
	state(p, "pinned/main.cursor.at", "arrays", n, "views", n, "size_bytes", n*pageSize,
		"used_bytes", n*8, "wasted_bytes", n*(pageSize-8), "spare_bytes", 0)
}

// startPumps makes what is no waste: buffers that their owners can use again,
// and views of buffers that are in use.
//
//go:noinline
func startPumps() {
	pumps = make([]*pump, 8)
	for i := range pumps {
		buf := fill(pageSize, 5000+i)
		pumps[i] = &pump{buf: buf, window: buf[10:20]}
	}
}

// ---- room that is not used ----

//go:noinline
func collectRows(p *truth.Program) {
	const n, room, rows = 50, 1024, 10
	batches = make([]*batch, n)
	for i := range batches {
		size := room
		if *fixed {
			size = rows
		}
		batches[i] = &batch{rows: append(make([]row, 0, size), make([]row, rows)...)}
	}
	state(p, "capacity/main.batch.rows", "slices", n, "capacity_bytes", n*room*16,
		"used_bytes", n*rows*16, "wasted_bytes", n*(room-rows)*16, "empty_bytes", 0)
}

// grow makes a node with one child and room for more.
func grow(depth, room int) *node {
	n := new(node)
	if depth > 0 {
		n.children = append(make([]*node, 0, room), grow(depth-1, room))
	}
	return n
}

//go:noinline
func growTrees(p *truth.Program) {
	const trees, each = 4, 500
	room := classOf128 / 8
	if *fixed {
		room = 1
	}
	forest = &grove{trees: make([]*node, trees), name: "paths"}
	for i := range forest.trees {
		forest.trees[i] = grow(each, room)
	}
	const n = trees * each
	state(p, "capacity/main.node.children", "slices", n, "capacity_bytes", n*classOf128,
		"used_bytes", n*8, "wasted_bytes", n*(classOf128-8), "empty_bytes", 0)
}

//go:noinline
func rest(p *truth.Program) {
	const n = 12
	workers = make([]worker, n)
	for i := range workers {
		if !*fixed {
			workers[i].scratch = make([]byte, 100, pageSize)[:0]
		}
	}
	state(p, "capacity/main.worker.scratch", "slices", n, "capacity_bytes", n*pageSize,
		"used_bytes", 0, "wasted_bytes", n*pageSize, "empty_bytes", n*pageSize)
}

//go:noinline
func endBurst(p *truth.Program) {
	const n, peak, left = 3, 20000, 100
	bursts = make([]*burst, n)
	for i := range bursts {
		bursts[i] = &burst{pending: map[int]int{}}
		for j := 0; j < peak; j++ {
			bursts[i].pending[j] = i
		}
		for j := left; j < peak; j++ {
			delete(bursts[i].pending, j)
		}
		if *fixed {
			small := make(map[int]int, left)
			for k, v := range bursts[i].pending {
				small[k] = v
			}
			bursts[i].pending = small
		}
	}
	state(p, "maps/main.burst.pending", "maps", n, "entries", n*left)
}

//go:noinline
func encode(p *truth.Program) {
	const n = 6
	buffers, texts := 0, 0
	encoders = make([]*encoder, n)
	for i := range encoders {
		e := &encoder{text: new(strings.Builder)}
		encoders[i] = e
		if *fixed {
			continue
		}
		e.out.Write(make([]byte, 100<<10))
		e.out.Next(100 << 10)
		e.text.Grow(20 << 10)
		buffers += e.out.Cap()
		texts += e.text.Cap()
	}
	state(p, "idle/main.encoder.out", "buffers", n, "size_bytes", buffers)
	state(p, "idle/main.encoder.text", "buffers", n, "size_bytes", texts)
}

//go:noinline
func serve(p *truth.Program) {
	const n = 4
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	for i := 0; i < n; i++ {
		conn, err := net.Dial("tcp", listener.Addr().String())
		must(err)
		peer, err := listener.Accept()
		must(err)
		must(peer.Close())
		c := client{conn, bufio.NewReaderSize(conn, pageSize), bufio.NewWriterSize(conn, pageSize/2)}
		must(conn.Close())
		if !*fixed {
			clients = append(clients, c)
		}
	}
	must(listener.Close())
	state(p, "idle/main.client.r", "buffers", n, "size_bytes", n*pageSize)
	state(p, "idle/main.client.w", "buffers", n, "size_bytes", n*pageSize/2)
}

// ---- the same text again and again ----

// parse makes a string of its own, as string(bytes) does.
//
//go:noinline
func parse(b []byte) string {
	s := string(b)
	if !*fixed {
		return s
	}
	if known, ok := names[s]; ok {
		return known
	}
	names[s] = s
	return s
}

//go:noinline
func parseEvents(p *truth.Program) {
	const n, hosts = 3000, 20
	methods := [][]byte{[]byte("GET"), []byte("HEAD"), []byte("PURGE")}
	lengths := 0
	events = make([]event, n)
	for i := range events {
		// 32 bytes: the whole of a slot.
		events[i].host = parse([]byte(fmt.Sprintf("host-%02d.eu-west-1.example.intra.", i%hosts)))
	}
	for i := range events {
		method := methods[i%len(methods)]
		events[i].method = parse(method)
		if i >= len(methods) {
			lengths += len(method)
		}
	}
	state(p, "duplicate_fields/main.event.host", "strings", n-hosts, "wasted_bytes", (n-hosts)*32)
	state(p, "duplicate_fields/main.event.method", "strings", n-len(methods), "wasted_bytes",
		lengths)
}

func main() {
	flag.Parse()
	p := truth.Start("pinned-views")
	readLogs(p)
	readRequests(p)
	readDocuments(p)
	readRoutes(p)
	readTrailers(p)
	readCursors(p)
	startPumps()
	collectRows(p)
	growTrees(p)
	rest(p)
	endBurst(p)
	encode(p)
	serve(p)
	parseEvents(p)
	p.Hold()
}
