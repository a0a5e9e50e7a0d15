// Command middleware is a server whose handlers are chains of functions.
//
// Every route is wrapped in layers of one middleware, each of which holds the next; the innermost
// function has the route's configuration. Sessions are known by their method values alone. What is
// received for a session is flushed by a timer of a day: its function keeps the buffer, although
// the session has ended long ago; with -fixed it keeps the session's number. Workers take handles
// in a loop and give them back by deferred calls, when all of them are done.
package main

import (
	"flag"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"time"

	"spanwalk/programs/internal/truth"
)

var (
	fixed = flag.Bool("fixed", false, "timers keep no buffers")
	count = flag.Int("count", 200, "routes, sessions and timers")
)

const (
	layers   = 4
	workers  = 5
	handles  = 20
	received = 16 << 10 // bytes
)

// settings are what a route's innermost function has captured.
type settings struct {
	limits [30]int
	status int
	next   *settings
}

type session struct {
	id    int
	owner *session
	notes [14]int
}

func (s *session) expire()      { s.id = -1 }
func (s *session) Close() error { s.id = -2; return nil }

// quota is captured by value with its method.
type quota struct {
	used, limit int
	of          *session
}

func (q quota) exceeded() bool { return q.used > q.limit }

type handle struct {
	slot  int
	owner *handle
	bytes [6]int
}

func (h *handle) release() { h.slot = -1 }

var (
	routes  []http.Handler
	expiry  []func()
	closers []func() error
	quotas  []func() bool
	timers  []*time.Timer
)

// endpoint is the innermost function of a route.
func endpoint(route *settings) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(route.status)
	})
}

// limited wraps a handler in one more layer.
func limited(next http.Handler, limit *int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if *limit > 0 {
			next.ServeHTTP(w, r)
		}
	})
}

// flushLater keeps a buffer for a day.
func flushLater(s *session, buffer []byte) *time.Timer {
	if *fixed {
		id := s.id
		return time.AfterFunc(24*time.Hour, func() { println("ended", id) })
	}
	return time.AfterFunc(24*time.Hour, func() { println(s.id, len(buffer)) })
}

//go:noinline
func open(slot int) *handle { return &handle{slot: slot} }

// batch gives its handles back when it returns.
func batch(crew *truth.Crew) {
	for i := 0; i < handles; i++ {
		defer open(i).release()
	}
	crew.Ready()
	<-crew.Done
}

// place states where the source has a closure, and what the compiler calls its function.
func place(p *truth.Program, name string, closure interface{}) {
	f := runtime.FuncForPC(reflect.ValueOf(closure).Pointer())
	_, line := f.FileLine(f.Entry())
	p.Text(name+".function", f.Name())
	p.Int(name+".line", int64(line))
}

func main() {
	p := truth.Start("middleware")
	n, limit := *count, new(int)
	routes = make([]http.Handler, 0, n)
	expiry = make([]func(), 0, n)
	closers = make([]func() error, 0, n)
	quotas = make([]func() bool, 0, n)
	timers = make([]*time.Timer, 0, n)
	add := func(name string, count int, serve func(i int)) {
		p.Add(truth.Root{Name: name, Kind: "closure", Count: int64(count), Make: func() {
			for i := 0; i < n; i++ {
				serve(i)
			}
		}})
	}
	add("limited", n*layers, func(i int) {
		handler := endpoint(&settings{status: i})
		// Two copies of one function, where the compiler inlines.
		handler = limited(handler, limit)
		for k := 1; k < layers; k++ {
			handler = limited(handler, limit)
		}
		routes = append(routes, handler)
	})
	add("expire", n, func(i int) { expiry = append(expiry, (&session{id: i}).expire) })
	add("close", n, func(i int) { closers = append(closers, io.Closer(&session{id: i}).Close) })
	add("exceeded", n, func(i int) {
		quotas = append(quotas, quota{i, n, &session{id: i}}.exceeded)
	})
	add("flush", n, func(i int) {
		timers = append(timers, flushLater(&session{id: i}, make([]byte, received)))
	})
	crew := truth.NewCrew()
	crew.Go(workers, func(int) { batch(crew) })
	crew.Wait()
	place(p, "limited", routes[0])
	place(p, "expire", expiry[0])
	place(p, "close", closers[0])
	place(p, "exceeded", quotas[0])
	p.Bool("fixed", *fixed)
	p.Int("count", int64(n))
	p.Int("layers", layers)
	p.Int("workers", workers)
	p.Int("handles", handles)
	p.Int("received", received)
	p.Hold()
}
