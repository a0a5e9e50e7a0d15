// Command idle-connections is a status page that asks three services of its own over HTTP and
// loses connections in the ways of the field: a Transport for each tenant, which nobody closes; a
// Transport for each probe, which is dropped with its idle connection in it; responses whose body
// is read no further and never closed, dropped or kept in a list.
package main

import (
	"flag"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 12, "tenants")
	fixed = flag.Bool("fixed", false, "one client for all, and every body is closed")
)

const (
	probes   = 5 // whose Transport is dropped
	ignored  = 4 // responses of which nobody has anything any more
	archived = 3 // responses that are kept, unread
	shared   = 2 // idle connections of the client that is as it should be
	bodySize = 1 << 20
)

// tenant has a client of its own.
type tenant struct {
	name   string
	client *http.Client
}

var (
	hosts   [3]string
	servers [3]*http.Server
	client  = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: shared}}
	tenants = map[string]*tenant{}
	archive []*http.Response
	lengths []int64
	gate    = make(chan struct{}) // closed when requests need no longer wait
	arrived = make(chan struct{}, 16)
)

func main() {
	p := truth.Start("idle-connections")
	for i := range hosts {
		serve(i)
	}
	together()
	lost := 0
	if *fixed {
		for i := 0; i < *count+probes; i++ {
			ask(client, i%len(hosts), "/health", true)
		}
		for i := 0; i < ignored+archived; i++ {
			ask(client, 0, "/export", true)
		}
	} else {
		for i := 0; i < *count; i++ {
			visit(i)
		}
		for i := 0; i < probes; i++ {
			probe(1)
		}
		for i := 0; i < ignored; i++ {
			ignore(2)
		}
		for i := 0; i < archived; i++ {
			archive = append(archive, ask(client, 2, "/export", false))
		}
		lost = ignored
		p.Int("tenant_connections", int64(*count))
		p.Int("probe_connections", probes)
		p.Int("archived_bodies", archived)
	}
	settle(p)
	p.Int("lost_bodies", int64(lost))
	p.Text("host0", "http://"+hosts[0])
	p.Text("host1", "http://"+hosts[1])
	p.Text("host2", "http://"+hosts[2])
	p.SetSettle(10 * time.Millisecond)
	p.Hold()
	runtime.KeepAlive(servers)
}

func serve(i int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	hosts[i] = listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "ok")
	})
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-gate
		_, _ = io.WriteString(w, "ok")
	})
	mux.HandleFunc("/export", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(bodySize))
		_, _ = w.Write(make([]byte, bodySize))
	})
	servers[i] = &http.Server{Handler: mux}
	go func() { _ = servers[i].Serve(listener) }()
}

// ask leaves the body alone, or reads and closes it.
func ask(c *http.Client, host int, path string, reads bool) *http.Response {
	response, err := c.Get("http://" + hosts[host] + path)
	if err != nil {
		panic(err)
	}
	if reads {
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			panic(err)
		}
		response.Body.Close()
	}
	return response
}

// together asks at the same time, so that the client has as many connections as it may keep.
func together() {
	done := make(chan struct{})
	for i := 0; i < shared; i++ {
		go func() {
			ask(client, 0, "/wait", true)
			done <- struct{}{}
		}()
	}
	for i := 0; i < shared; i++ {
		<-arrived
	}
	close(gate)
	for i := 0; i < shared; i++ {
		<-done
	}
}

//go:noinline
func visit(i int) {
	t := &tenant{"tenant-" + strconv.Itoa(i), &http.Client{Transport: &http.Transport{}}}
	ask(t.client, 0, "/health", true)
	tenants[t.name] = t
}

//go:noinline
func probe(host int) {
	ask(&http.Client{Transport: &http.Transport{}}, host, "/health", true)
}

//go:noinline
func ignore(host int) {
	lengths = append(lengths, ask(client, host, "/export", false).ContentLength)
}

// settle waits until the goroutines of all connections stand where they belong.
func settle(p *truth.Program) {
	for last, same := -1, 0; same < 10; same++ {
		time.Sleep(5 * time.Millisecond)
		if now := runtime.NumGoroutine(); now != last {
			last, same = now, 0
		}
	}
	p.Int("goroutines", int64(runtime.NumGoroutine()))
}
