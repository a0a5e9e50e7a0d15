// Command abandoned-pipe leaks goroutines that write to or read from an io.Pipe whose other end
// was dropped without Close.
package main

import (
	"io"

	"spanwalk/programs/leaks/plant"
)

var (
	readers []*io.PipeReader
	writers []*io.PipeWriter
)

func main() {
	p := plant.Start("abandoned-pipe")
	sending := plant.Group{Function: "main.send", Wait: "select", On: "select"}
	receiving := plant.Group{Function: "main.receive", Wait: "select", On: "select"}
	p.Leak(func(int) {
		r, w := io.Pipe()
		go send(w)
		_, _ = r.Read(make([]byte, 4)) // the header is enough
		if plant.Fixed() {
			r.Close()
		}
	}, sending)
	p.Leak(func(int) {
		r, w := io.Pipe()
		go receive(r)
		_, _ = io.WriteString(w, "half of it")
		if plant.Fixed() {
			w.Close()
		}
	}, receiving)
	p.Healthy(func(int) {
		r, w := io.Pipe()
		readers = append(readers, r)
		go send(w)
	}, sending)
	p.Healthy(func(int) {
		r, w := io.Pipe()
		writers = append(writers, w)
		go receive(r)
	}, receiving)
	p.Hold()
}

//go:noinline
func send(w *io.PipeWriter) {
	_, err := w.Write(make([]byte, 64))
	w.CloseWithError(err)
}

//go:noinline
func receive(r *io.PipeReader) int64 {
	n, _ := io.Copy(io.Discard, r)
	return n
}
