// Command gateway is a server for the influx line protocol, with a client that
// feeds it. It leaks in three ways that production gateways have leaked:
// batches that could not be parsed keep their buffers (parser.failed), the tag
// cache grows with every new series (tagcache.sets), and the readers of
// connections outlive them (ingest.readers). With -fixed it does not leak.
package main

import (
	"flag"
	"net"
	"runtime"
	"time"

	"spanwalk/programs/gateway/ingest"
	"spanwalk/programs/gateway/parser"
	"spanwalk/programs/gateway/tagcache"
	"spanwalk/programs/internal/truth"
)

var (
	requests = flag.Int("requests", 3000, "requests to feed before the truth is printed")
	fixed    = flag.Bool("fixed", false, "do not leak")
	serving  = flag.Bool("serve", false, "keep serving slow traffic, and keep leaking")
)

const (
	path        = "spanwalk/programs/gateway/"
	perConn     = 2    // requests on a connection where connections come and go
	badBatch    = 14e3 // bytes of a batch that cannot be parsed
	seriesBatch = 60   // new series in a batch
)

func main() {
	flag.Parse()
	parser.KeepFailures = !*fixed
	if *fixed {
		tagcache.Limit = 100
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := ingest.NewServer()
	go server.Serve(listener)

	p := truth.Start("gateway")
	feeder := newFeeder("http://" + listener.Addr().String())
	warm(feeder)
	load(p, feeder)
	p.Int("port", int64(listener.Addr().(*net.TCPAddr).Port))
	p.Int("requests", int64(feeder.sent))
	p.Int("points", ingest.Points())
	p.Int("rejected", int64(parser.Rejected()))
	p.Bool("fixed", *fixed)
	p.Bool("serving", *serving)
	if *serving {
		p.SetLive()
		go feeder.forever()
	}
	p.Hold()
	server.Close()
}

// warm lets net/http and the pools make what they keep, and forgets the rest.
func warm(f *feeder) {
	f.badBatches(2 * len(reasons))
	f.newSeries(4)
	f.fixedSeries(4 * perConn)
	f.rest()
	parser.Reset()
	tagcache.Reset()
	ingest.Reset()
}

// load feeds each leak in its turn, so that each can be measured; connections
// leak their readers in the last.
func load(p *truth.Program, f *feeder) {
	third := *requests / 3
	p.Add(truth.Root{Name: path + "parser.failed", Type: "map[string][]*parser.failure",
		Make: func() { f.badBatches(third); f.rest() }, Drop: parser.Reset})
	p.Add(truth.Root{Name: path + "tagcache.sets", Type: "map[string]*tagcache.tagSet",
		Make: func() { f.newSeries(third); f.rest() }, Drop: tagcache.Reset})
	ingest.KeepReaders = !*fixed
	p.Add(truth.Root{Name: path + "ingest.readers", Type: "map[uint64]*bufio.Reader",
		Make: func() { f.fixedSeries(third); f.rest() }, Drop: ingest.Reset})
	if *fixed {
		tagcache.Reset()
	}
	batches, bytes := parser.Failures()
	_, kept := ingest.Connections()
	p.Int("failed_batches", int64(batches))
	p.Int("failed_batch_bytes", int64(bytes))
	p.Int("tag_sets", int64(tagcache.Len()))
	p.Int("readers", int64(kept))
	p.Int("reader_bytes", int64(kept*ingest.ReaderSize))
	p.Counted(path+"parser.failed", int64(batches), int64(bytes))
	p.Counted(path+"tagcache.sets", int64(tagcache.Len()), 0)
	p.Counted(path+"ingest.readers", int64(kept), int64(kept*ingest.ReaderSize))
	p.Type("parser.failure", batches)
	p.Type("bytes.Buffer", batches)
	p.Type("tagcache.tagSet", tagcache.Len())
	p.Type("bufio.Reader", kept)
}

// rest closes the client's connections and waits until the server has let go
// of its ends.
func (f *feeder) rest() {
	f.close()
	for i := 0; i < 1000; i++ {
		if conns, _ := ingest.Connections(); conns == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	runtime.GC()
}

// forever sends a few of each kind of request, about a hundred a second.
func (f *feeder) forever() {
	for {
		f.badBatches(1)
		f.newSeries(1)
		f.fixedSeries(1)
		time.Sleep(30 * time.Millisecond)
	}
}
