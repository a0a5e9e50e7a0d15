// Command busy is a server that never rests: many goroutines allocate and drop
// memory all the time while the collector runs, and requests are answered.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"spanwalk/programs/internal/truth"
)

const planted = 10_000

var (
	workers = flag.Int("workers", 8, "goroutines that allocate all the time")
	pause   = flag.Duration("pause", 200*time.Microsecond, "rest of a worker after each round")
)

type order struct {
	id    int
	items []*line
	notes map[string]string
	next  *order
}

type line struct {
	name  string
	count int
}

var (
	keep    []*line      // known: planted lines that stay
	current atomic.Value // *order
	table   sync.Map
	served  int64
)

func main() {
	p := truth.Start("busy")
	p.Add(truth.Root{Name: "main.keep", Type: "[]*main.line", Count: planted, Bytes: planted * (24 + 24),
		Make: func() {
			keep = make([]*line, planted)
			for i := range keep {
				keep[i] = &line{fmt.Sprintf("planted line %09d", i), i}
			}
		}, Drop: func() { keep = nil }})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(answer))
	for i := 0; i < *workers; i++ {
		go work(i)
	}
	p.Int("port", int64(listener.Addr().(*net.TCPAddr).Port))
	p.Int("workers", int64(*workers))
	p.SetLive()
	p.Hold()
}

// answer counts the request and allocates as a handler does.
func answer(w http.ResponseWriter, req *http.Request) {
	o := newOrder(len(req.URL.Path))
	current.Store(o)
	fmt.Fprintf(w, "ok %d\n", atomic.AddInt64(&served, 1))
}

func newOrder(i int) *order {
	o := &order{id: i, notes: map[string]string{"from": "the worker", "at": time.Now().String()}}
	for j := 0; j < 10+i%20; j++ {
		o.items = append(o.items, &line{fmt.Sprint("item ", j), j})
	}
	return o
}

// work builds short-lived structures, keeps a few for a while, and drops them.
func work(id int) {
	var recent [64]*order
	for n := 0; ; n++ {
		o := newOrder(n)
		o.next = recent[(n+63)%64]
		if n%10 == 0 && o.next != nil {
			o.next.next = nil
		}
		recent[n%64] = o
		if n%100 == 0 {
			table.Store(id*1000+n%1000, make([]byte, 100+n%9000))
		}
		time.Sleep(*pause)
	}
}
