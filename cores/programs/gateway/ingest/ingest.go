// Package ingest takes batches over HTTP and hands them to the parser.
package ingest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"spanwalk/programs/gateway/parser"
)

// ReaderSize is the buffer that each connection gets.
const ReaderSize = 32 << 10

type connKey struct{}

var (
	mu      sync.Mutex
	readers = map[uint64]*bufio.Reader{} // by connection id
	ids     = map[net.Conn]uint64{}
	lastID  uint64
)

var (
	open   int64
	points int64
)

// KeepReaders leaves the reader of a connection in place when it closes.
var KeepReaders bool

// NewServer returns a server for POST /write and GET /health.
func NewServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/write", write)
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok", Points())
	})
	return &http.Server{Handler: mux, ConnContext: connected, ConnState: changed}
}

func connected(ctx context.Context, c net.Conn) context.Context {
	mu.Lock()
	defer mu.Unlock()
	lastID++
	ids[c] = lastID
	atomic.AddInt64(&open, 1)
	return context.WithValue(ctx, connKey{}, lastID)
}

func changed(c net.Conn, state http.ConnState) {
	if state != http.StateClosed {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	id := ids[c]
	delete(ids, c)
	if !KeepReaders {
		delete(readers, id)
	}
	atomic.AddInt64(&open, -1)
}

// reader returns the connection's buffered reader, set to read this body.
func reader(id uint64, body io.Reader) *bufio.Reader {
	mu.Lock()
	defer mu.Unlock()
	r := readers[id]
	if r == nil {
		r = bufio.NewReaderSize(body, ReaderSize)
		readers[id] = r
	} else {
		r.Reset(body)
	}
	return r
}

func write(w http.ResponseWriter, req *http.Request) {
	id, _ := req.Context().Value(connKey{}).(uint64)
	batch, err := io.ReadAll(reader(id, req.Body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	list, err := parser.Parse(batch)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	atomic.AddInt64(&points, int64(len(list)))
	w.WriteHeader(http.StatusNoContent)
}

// Connections returns how many connections are open and how many readers exist.
func Connections() (conns, kept int) {
	mu.Lock()
	defer mu.Unlock()
	return int(atomic.LoadInt64(&open)), len(readers)
}

// Points returns how many points came in.
func Points() int64 { return atomic.LoadInt64(&points) }

// Reset forgets the readers.
func Reset() {
	mu.Lock()
	defer mu.Unlock()
	readers = map[uint64]*bufio.Reader{}
}
