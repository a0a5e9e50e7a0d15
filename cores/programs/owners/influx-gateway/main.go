// Command influx-gateway takes points in the line protocol of InfluxDB,
//
//	cpu,host=web01 load=0.64 1700000000
//
// and remembers requests that it could not parse, to be looked at when somebody
// asks: with their parsers, and so with the buffer of every request. Nobody has
// asked for weeks.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 60, "requests that fail")
	fixed = flag.Bool("fixed", false, "keep what was wrong, and not the parser")
)

// Requests come in sizes that leave slack in their size class, and one that is
// a large object.
var sizes = []int{1000, 4000, 40000}

const connections = 3

var (
	errNoField   = errors.New("missing field")
	errBadNumber = errors.New("bad number")
)

// lineParser parses one request. A line that is not whole stays in buf[pos:].
type lineParser struct {
	buf  []byte
	pos  int
	line int
	err  error
}

type point struct {
	load float64
	at   int64
}

// failure is what is left of a request after the repair.
type failure struct {
	line int
	err  error
}

type connection struct {
	remote string
	parser *lineParser
	points int
}

type gateway struct {
	conns    map[string]*connection
	failed   []*lineParser
	failures []failure
}

var server = gateway{conns: map[string]*connection{}}

// next parses a line. It returns false at the end, before a line that is not
// whole, and on an error.
func (p *lineParser) next() (point, bool) {
	end := bytes.IndexByte(p.buf[p.pos:], '\n')
	if p.err != nil || end < 0 {
		return point{}, false
	}
	p.line++
	line := p.buf[p.pos : p.pos+end]
	parts := bytes.SplitN(line, []byte(" "), 3)
	value := bytes.IndexByte(line, '=')
	if len(parts) < 3 || value < 0 {
		p.err = errNoField
		return point{}, false
	}
	field := parts[1]
	load, err := strconv.ParseFloat(string(field[bytes.IndexByte(field, '=')+1:]), 64)
	if err != nil {
		p.err = errBadNumber
		return point{}, false
	}
	at, err := strconv.ParseInt(string(parts[2]), 10, 64)
	if err != nil {
		p.err = fmt.Errorf("line %d: %w", p.line, errBadNumber)
		return point{}, false
	}
	p.pos += end + 1
	return point{load, at}, true
}

// request has good lines, then one that is not, and then as much as fits of
// others. Its length is exact.
func request(size int, bad string) []byte {
	buf := make([]byte, 0, size)
	for i := 0; len(buf) < size/2; i++ {
		buf = append(buf, fmt.Sprintf("cpu,host=web%02d load=0.%02d %d\n", i%100, i%100, 1700000000+i)...)
	}
	buf = append(buf, bad...)
	for rest := buf[len(buf):size]; len(rest) > 0; {
		rest = rest[copy(rest, "mem,host=db01 load=0.50 1700000000\n"):]
	}
	return buf[:size]
}

func (g *gateway) handle(c *connection, body []byte) {
	p := &lineParser{buf: body}
	c.parser = p
	for {
		if _, ok := p.next(); !ok {
			break
		}
		c.points++
	}
	if p.err == nil {
		return // the rest of the last line comes with the next request
	}
	if *fixed {
		g.failures = append(g.failures, failure{p.line, p.err})
	} else {
		g.failed = append(g.failed, p)
	}
	c.parser = nil
}

var badLines = []string{"disk,host=web01\n", "cpu,host=web01 load=much 1700000000\n"}

func main() {
	p := truth.Start("influx-gateway")
	bytes := int64(0)
	p.Add(truth.Root{Name: "main.server", Type: "main.gateway", Count: int64(*count),
		Make: func() {
			c := &connection{remote: "10.0.0.1:4000"}
			for i := 0; i < *count; i++ {
				size := sizes[i%len(sizes)]
				bytes += int64(size)
				server.handle(c, request(size, badLines[i%len(badLines)]))
			}
			for i := 0; i < connections; i++ {
				c := &connection{remote: "10.0.0." + strconv.Itoa(i+2) + ":4000"}
				server.conns[c.remote] = c
				server.handle(c, append(request(1000, ""), "cpu,host"...)) // one more class up
			}
		}})
	if *fixed {
		bytes = 0
	}
	p.Int("failed", int64(len(server.failed)))
	p.Int("requested_bytes", bytes)
	for i, failed := range server.failed {
		if i < 2*len(sizes) {
			state(p, fmt.Sprintf("failed_%d", i), failed)
		}
	}
	i := 0
	for _, c := range server.conns {
		state(p, fmt.Sprintf("open_%d", i), c.parser)
		i++
	}
	p.Hold()
}

func state(p *truth.Program, name string, parser *lineParser) {
	p.Int(name+"_address", int64(uintptr(unsafe.Pointer(&parser.buf[0]))))
	p.Int(name+"_parser", int64(uintptr(unsafe.Pointer(parser))))
	p.Int(name+"_len", int64(len(parser.buf)))
	p.Int(name+"_cap", int64(cap(parser.buf)))
	p.Int(name+"_pos", int64(parser.pos))
	if parser.err != nil {
		p.Text(name+"_err", parser.err.Error())
	}
}
