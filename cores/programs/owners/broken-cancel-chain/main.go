// Command broken-cancel-chain is an API gateway whose contexts do not end when they should.
//
// Every request gets a context of its own below the server's, with the body as a value, and the
// handler that forgets to call cancel leaves it, and the body, with the server for ever. Calls to
// the backend drop the cancel function of their timeout. A tracing context has a channel of its
// own for Done, which costs a goroutine for each context below it; an audit context has no Done,
// and what is below it goes on after the tenant is gone. A retry loop wraps its context in another
// value each time round.
package main

import (
	"context"
	"flag"
	"sync"
	"time"

	"spanwalk/programs/internal/truth"
)

const (
	bodySize = 8 << 10
	calls    = 200
	traced   = 60
	audited  = 30
	inFlight = 20
	streams  = 25
	uploads  = 15
	watches  = 10
	hops     = 150
)

type (
	requestKey struct{}
	hopKey     struct{}
	userKey    string
)

// request is what the handlers take out of a context.
type request struct {
	path string
	body []byte
}

// traceContext ends with its parent or when the trace is cut off: it has its own Done.
type traceContext struct {
	context.Context
	done chan struct{}
}

func (t *traceContext) Done() <-chan struct{} { return t.done }

// span is the repaired tracing context: whose Done is that of its parent.
type span struct {
	context.Context
	id int
}

// auditContext hands on the values of its parent, but not its end, nor what it does not have.
type auditContext struct{ context.Context }

func (auditContext) Done() <-chan struct{} { return nil }
func (auditContext) Err() error            { return nil }

// auditTrail is the repaired one.
type auditTrail struct{ context.Context }

var (
	fixed = flag.Bool("fixed", false, "the repaired program")
	count = flag.Int("count", 1000, "requests that were served")

	server, stop   = context.WithCancel(context.Background())
	tenant, evict  = context.WithCancel(context.Background())
	streamCancels  []context.CancelFunc
	uploadContexts []context.Context
	retry          context.Context
	jobs           []context.Context
	jobCancels     []context.CancelFunc
)

func main() {
	p := truth.Start("broken-cancel-chain")
	crew := truth.NewCrew()

	p.Add(truth.Root{Name: "main.server", Count: int64(*count), Bytes: int64(*count) * bodySize,
		Make: serveAll})
	for i := 0; i < calls; i++ {
		callBackend()
	}
	trace()
	audit()
	crew.Go(inFlight, func(i int) { serveSlowly(crew, i) })
	for i := 0; i < streams; i++ {
		ctx, cancel := context.WithCancel(server)
		streamCancels = append(streamCancels, cancel)
		_ = ctx
	}
	for i := 0; i < uploads; i++ {
		uploadContexts = append(uploadContexts, upload(i))
	}
	crew.Go(watches, func(int) { watch(crew) })
	retry = retried()
	after := plantAfterFuncs(server)

	crew.Wait()
	state(p, after)
	p.Hold()
	crew.Release()
	stop()
}

func state(p *truth.Program, after afterFuncs) {
	abandoned, timeouts, propagated, orphans, lost := *count, calls, traced, audited, uploads
	chain := hops
	if *fixed {
		abandoned, timeouts, propagated, orphans, lost, chain = 0, 0, 0, 0, 0, 3
	}
	p.Int("abandoned_requests", int64(abandoned))
	p.Int("abandoned_body_bytes", int64(abandoned)*bodySize)
	p.Int("abandoned_calls", int64(timeouts))
	p.Int("propagating_goroutines", int64(propagated))
	p.Int("orphan_contexts", int64(orphans))
	p.Int("lost_contexts", int64(lost))
	p.Int("longest_value_chain", int64(chain))
	p.Int("waiting_goroutines", int64(inFlight+watches))
	p.Int("abandoned_after_funcs", int64(after.abandoned))
	p.Int("after_func_goroutines", int64(after.running))
	p.Int("abandoned_contexts", int64(abandoned+timeouts+after.abandoned))
	children := abandoned + timeouts + after.abandoned + after.kept + inFlight + watches +
		streams + uploads
	if *fixed {
		children += traced
	}
	p.Int("server_children", int64(children))
}

// ---- the faults ----

func serveAll() {
	for i := 0; i < *count; i++ {
		serve(&request{path: "/v1/write", body: make([]byte, bodySize)})
	}
}

//go:noinline
func serve(r *request) int {
	ctx, cancel := context.WithCancel(context.WithValue(server, requestKey{}, r))
	if *fixed {
		defer cancel()
	}
	return authorize(ctx)
}

//go:noinline
func authorize(ctx context.Context) int {
	return len(ctx.Value(requestKey{}).(*request).body)
}

//go:noinline
func callBackend() {
	ctx, cancel := context.WithTimeout(server, 2*time.Hour)
	if *fixed {
		defer cancel()
	}
	use(ctx)
}

//go:noinline
func use(ctx context.Context) bool {
	_, ok := ctx.Deadline()
	return ok
}

// trace makes contexts below the tracing context, and keeps their cancel functions.
func trace() {
	var parent context.Context = &traceContext{server, make(chan struct{})}
	if *fixed {
		parent = &span{server, 1}
	}
	for i := 0; i < traced; i++ {
		ctx, cancel := context.WithCancel(parent)
		jobs = append(jobs, ctx)
		jobCancels = append(jobCancels, cancel)
	}
}

// audit makes contexts below the audit context of a tenant that is evicted.
func audit() {
	var parent context.Context = &auditContext{tenant}
	if *fixed {
		parent = &auditTrail{tenant}
	}
	for i := 0; i < audited; i++ {
		ctx, cancel := context.WithCancel(parent)
		jobs = append(jobs, ctx)
		jobCancels = append(jobCancels, cancel)
	}
	evict()
}

// upload gives away a context whose cancel function it drops.
//
//go:noinline
func upload(i int) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(server, userKey("tenant"), i))
	if *fixed {
		streamCancels = append(streamCancels, cancel)
	}
	return ctx
}

func retried() context.Context {
	n := hops
	if *fixed {
		n = 3
	}
	ctx := context.Context(server)
	for i := 0; i < n; i++ {
		ctx = context.WithValue(ctx, hopKey{}, i)
	}
	return ctx
}

// ---- those that are as they should be ----

//go:noinline
func serveSlowly(crew *truth.Crew, i int) {
	ctx, cancel := context.WithTimeout(server, time.Hour)
	defer cancel()
	crew.Ready()
	wait(ctx, crew.Done)
}

//go:noinline
func wait(ctx context.Context, done <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-done:
	}
}

//go:noinline
func watch(crew *truth.Crew) {
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(server)
	defer func() {
		mu.Lock()
		cancel()
		mu.Unlock()
	}()
	crew.Ready()
	wait(ctx, crew.Done)
}

type afterFuncs struct{ abandoned, kept, running int }
