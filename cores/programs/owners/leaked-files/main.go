// Command leaked-files is an upload service that loses descriptors in the ways of the field: files
// that a map of spooled uploads never lets go of, files that were dropped without Close and that
// only a finalizer will close, descriptors that no os.File has, one that two have, and one that was
// closed behind the back of its os.File.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 120, "uploads that are spooled")
	fixed = flag.Bool("fixed", false, "close what was opened")
)

const (
	dropped = 7 // read, and forgotten
	done    = 3 // closed, but still listed
	raw     = 2 // opened by system calls
)

type upload struct {
	id   int
	file *os.File
}

var (
	spool   = map[string]*upload{} // never deleted from
	reading []*os.File             // dropped when the process ends
	history []*os.File             // closed
	twin    *os.File               // of logs[0]: both have the same descriptor
	stale   *os.File               // its descriptor is closed, and it does not know
	logs    [2]*os.File            // the ends of a pipe
)

func main() {
	p := truth.Start("leaked-files")
	var err error
	if logs[0], logs[1], err = os.Pipe(); err != nil {
		panic(err)
	}
	receive(p)
	inspect()
	finish()
	open := 3 + len(logs) // stdin, stdout, stderr
	if !*fixed {
		open += *count + dropped
		p.Int("spooled_files", int64(*count))
		p.Int("dropped_files", dropped)
		p.Int("stale_files", 1)
		p.Int("shared_files", 1)
		p.Int("raw_descriptors", raw)
		bypass()
		p.AtAbort(drop)
	}
	p.Int("open_files", int64(open)) // that are open and have an os.File, but for the stale one
	p.Int("closed_files", done)
	p.Hold()
	runtime.KeepAlive(history)
}

// create opens a file that nobody else will find.
func create(name string) *os.File {
	file, err := os.Create(name)
	if err == nil {
		err = os.Remove(name)
	}
	if err != nil {
		panic(err)
	}
	return file
}

// receive spools uploads: whoever takes them out again was never written.
func receive(p *truth.Program) {
	p.Add(truth.Root{Name: "main.spool", Type: "map[string]*main.upload", Count: int64(*count),
		Make: func() {
			for i := 0; i < *count; i++ {
				name := fmt.Sprintf("upload-%03d.part", i)
				u := &upload{i, create(name)}
				if *fixed {
					u.file.Close()
					continue
				}
				spool[name] = u
			}
		}})
}

// inspect looks into files and forgets to close them.
func inspect() {
	for i := 0; i < dropped; i++ {
		file := create(fmt.Sprintf("header-%d", i))
		if _, err := file.WriteString("magic"); err != nil {
			panic(err)
		}
		if *fixed {
			file.Close()
			continue
		}
		reading = append(reading, file)
	}
}

//go:noinline
func drop() {
	for i := range reading {
		reading[i] = nil
	}
}

// finish closes files that are kept in a list all the same.
func finish() {
	for i := 0; i < done; i++ {
		file := create(fmt.Sprintf("done-%d", i))
		file.Close()
		history = append(history, file)
	}
}

// bypass opens and closes descriptors by system calls.
func bypass() {
	for i := 0; i < raw; i++ {
		if _, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
			panic(err)
		}
	}
	twin = os.NewFile(logs[0].Fd(), "twin")
	stale = create("stale") // the last: nothing may take its number
	if err := syscall.Close(int(stale.Fd())); err != nil {
		panic(err)
	}
}
