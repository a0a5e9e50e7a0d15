// Command short-link is a service for short links whose handlers leave closures behind.
//
// Each redirect leaves a callback for the audit log, which is written once an hour: the closure
// needs the visitor's address and keeps the whole request, its body with it. The preview of a new
// link waits in a queue of retries with the response, whose body was never read. Statistics are
// pushed by functions that keep the writer of the request that asked for them, and the export of a
// tenant keeps the framework's context. With -fixed each of them keeps the few bytes that it needs.
//
// Watchers of links and the hooks of tenants are closures too, healthy ones: what they refer to is
// there for others anyway, or is small.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"runtime"
	"strings"

	"spanwalk/programs/internal/truth"
)

var (
	fixed   = flag.Bool("fixed", false, "closures keep copies of what they need")
	count   = flag.Int("count", 400, "requests of each kind")
	payload = flag.Int("payload", 4<<10, "bytes of a request's and a response's body")
)

type link struct {
	slug, target string
	hits         int
}

// retryJob is a preview to be fetched again.
type retryJob struct {
	slug string
	run  func() error
}

// tries is what a job counts; the job changes it, so it is captured by reference.
type tries struct {
	made, failed int
	wait         [6]int
}

type tenant struct {
	name  string
	hooks []func(slug string) bool
}

// Context is what the framework hands to its handlers, as gin and echo do.
type Context struct {
	Request *http.Request
	Writer  http.ResponseWriter
	Keys    map[string]interface{}
	index   int
}

// shortener is the service; its slices and maps have all the room they need.
type shortener struct {
	links   []*link
	slugs   map[string]*link
	audit   []func() string
	retries map[string]retryJob
	stats   []func(n int)
	exports chan func() int
	watches []func() bool
	tenant  *tenant
}

// recorder is the writer of a connection that is done.
type recorder struct {
	header http.Header
	buffer []byte
	status int
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) Write(b []byte) (int, error) { return copy(w.buffer, b), nil }
func (w *recorder) WriteHeader(status int)      { w.status = status }

func newRecorder() *recorder {
	return &recorder{header: http.Header{}, buffer: make([]byte, *payload)}
}

// text is a string of its own, longer than what the allocator puts together with others.
func text(format string, args ...interface{}) string {
	return strings.Repeat(fmt.Sprintf(format, args...), 1) + strings.Repeat(".", 16)
}

func newRequest(l *link, i int) *http.Request {
	r := &http.Request{
		Method:     "GET",
		URL:        &url.URL{Path: text("/%s", l.slug)},
		Header:     http.Header{"User-Agent": {text("agent %d", i)}},
		Body:       io.NopCloser(bytes.NewReader(make([]byte, *payload))),
		RemoteAddr: text("192.0.2.%d:%d", i%256, 1024+i),
	}
	return r
}

// redirect sends a visitor on.
func (s *shortener) redirect(w http.ResponseWriter, r *http.Request, l *link) {
	w.WriteHeader(http.StatusFound)
	if *fixed {
		visitor := r.RemoteAddr
		s.audit = append(s.audit, func() string { return visitor + l.target })
		return
	}
	s.audit = append(s.audit, func() string { return r.RemoteAddr + l.target })
}

// preview asks the target of a new link for its title.
func (s *shortener) preview(resp *http.Response, slug string) {
	var state tries
	if *fixed {
		length := resp.ContentLength
		s.retries[slug] = retryJob{slug, func() error {
			state.made++
			return fmt.Errorf("%d bytes, try %d", length, state.made)
		}}
		return
	}
	s.retries[slug] = retryJob{slug, func() error {
		state.made++
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}}
}

// statistics pushes numbers to whoever asked once.
func (s *shortener) statistics(w http.ResponseWriter, l *link) {
	if *fixed {
		s.stats = append(s.stats, func(n int) { l.hits += n })
		return
	}
	s.stats = append(s.stats, func(n int) { fmt.Fprintf(w, "%d", l.hits+n) })
}

// export queues a tenant's links.
func (s *shortener) export(c *Context) {
	if *fixed {
		index := c.index
		s.exports <- func() int { return index }
		return
	}
	s.exports <- func() int { return c.index + len(c.Request.Method) }
}

// watch looks for links that are hot.
func (s *shortener) watch(l *link, limit int) {
	s.watches = append(s.watches, func() bool { return l.hits > limit })
}

// hook remembers a slug that a tenant wants to be told of, in a string of the closure's own.
func (t *tenant) hook(wanted string) {
	t.hooks = append(t.hooks, func(slug string) bool { return slug == wanted && t.name != "" })
}

var service *shortener

func newShortener() *shortener {
	s := &shortener{
		slugs:   make(map[string]*link, *count),
		audit:   make([]func() string, 0, *count),
		retries: make(map[string]retryJob, *count),
		stats:   make([]func(int), 0, *count),
		exports: make(chan func() int, *count),
		watches: make([]func() bool, 0, *count),
		tenant:  &tenant{name: "example", hooks: make([]func(string) bool, 0, *count)},
	}
	for i := 0; i < *count; i++ {
		l := &link{slug: text("l%d", i), target: text("https://example.com/%d", i)}
		s.links = append(s.links, l)
		s.slugs[l.slug] = l
		s.retries[l.slug] = retryJob{slug: l.slug}
	}
	return s
}

// add states how many closures a handler leaves, and what they alone keep.
func add(p *truth.Program, handler string, serve func(i int)) {
	p.Add(truth.Root{Name: handler, Kind: "closure", Count: int64(*count), Make: func() {
		for i := 0; i < *count; i++ {
			serve(i)
		}
	}})
}

// place states where the source has a closure. The compiler's name for its function depends on
// what it inlines.
func place(p *truth.Program, handler string, closure interface{}) {
	f := runtime.FuncForPC(reflect.ValueOf(closure).Pointer())
	_, line := f.FileLine(f.Entry())
	p.Text(handler+".function", f.Name())
	p.Int(handler+".line", int64(line))
}

func main() {
	p := truth.Start("short-link")
	service = newShortener()
	s, header := service, http.Header{"Content-Type": {"text/html"}}
	idle := newRecorder()
	add(p, "redirect", func(i int) {
		s.redirect(idle, newRequest(s.links[i], i), s.links[i])
	})
	add(p, "preview", func(i int) {
		s.preview(&http.Response{StatusCode: 200, Header: header, ContentLength: int64(*payload),
			Body: io.NopCloser(bytes.NewReader(make([]byte, *payload)))}, s.links[i].slug)
	})
	add(p, "statistics", func(i int) { s.statistics(newRecorder(), s.links[i]) })
	add(p, "export", func(i int) {
		s.export(&Context{Request: newRequest(s.links[i], i), Writer: newRecorder(), index: i})
	})
	add(p, "watch", func(i int) { s.watch(s.links[i], i) })
	add(p, "hook", func(i int) { s.tenant.hook(text("wanted %d", i)) })
	place(p, "redirect", s.audit[0])
	place(p, "preview", s.retries[s.links[0].slug].run)
	place(p, "statistics", s.stats[0])
	first := <-s.exports
	place(p, "export", first)
	s.exports <- first
	place(p, "watch", s.watches[0])
	place(p, "hook", s.tenant.hooks[0])
	p.Bool("fixed", *fixed)
	p.Int("count", int64(*count))
	p.Int("payload", int64(*payload))
	p.Hold()
}
