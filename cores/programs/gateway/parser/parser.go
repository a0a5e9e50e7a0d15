// Package parser reads the influx line protocol:
//
//	measurement,tag=value,tag=value field=1.5,other=2i 1700000000
package parser

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"spanwalk/programs/gateway/tagcache"
)

// Point is one line.
type Point struct {
	Measurement string
	Series      string
	Fields      map[string]float64
	Time        int64
}

// failure is a batch that could not be parsed, kept for the operator to see.
type failure struct {
	line   int
	reason string
	batch  *bytes.Buffer
}

var (
	mu     sync.Mutex
	failed = map[string][]*failure{}
	counts = map[string]int{}
)

// KeepFailures makes Parse remember the batches that it could not read.
var KeepFailures bool

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Parse reads a batch of lines.
func Parse(batch []byte) ([]Point, error) {
	buffer := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	buffer.Write(batch)
	var points []Point
	for n, line := range strings.Split(string(batch), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		point, err := parseLine(line)
		if err != nil {
			reject(n+1, err.Error(), buffer)
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		points = append(points, point)
	}
	buffers.Put(buffer)
	return points, nil
}

// reject notes why a batch was refused. The buffer should go back to its pool.
func reject(line int, reason string, batch *bytes.Buffer) {
	mu.Lock()
	defer mu.Unlock()
	counts[reason]++
	if !KeepFailures {
		buffers.Put(batch)
		return
	}
	failed[reason] = append(failed[reason], &failure{line, reason, batch})
}

func parseLine(line string) (Point, error) {
	head, rest, ok := strings.Cut(line, " ")
	if !ok {
		return Point{}, errors.New("missing fields")
	}
	names := strings.Split(head, ",")
	point := Point{Measurement: names[0], Fields: map[string]float64{}}
	var tags []tagcache.Tag
	for _, tag := range names[1:] {
		key, value, ok := strings.Cut(tag, "=")
		if !ok {
			return Point{}, errors.New("tag without value")
		}
		tags = append(tags, tagcache.Tag{Key: key, Value: value})
	}
	fields, stamp, _ := strings.Cut(rest, " ")
	for _, field := range strings.Split(fields, ",") {
		key, value, _ := strings.Cut(field, "=")
		x, err := strconv.ParseFloat(strings.TrimSuffix(value, "i"), 64)
		if err != nil {
			return Point{}, errors.New("bad number")
		}
		point.Fields[key] = x
	}
	if stamp != "" {
		t, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			return Point{}, errors.New("bad timestamp")
		}
		point.Time = t
	}
	point.Series = tagcache.Intern(tags)
	return point, nil
}

// Failures returns how many batches are kept and how many bytes their buffers have.
func Failures() (batches, bytes int) {
	mu.Lock()
	defer mu.Unlock()
	for _, list := range failed {
		batches += len(list)
		for _, f := range list {
			bytes += f.batch.Cap()
		}
	}
	return batches, bytes
}

// Rejected returns how many batches were refused.
func Rejected() (n int) {
	mu.Lock()
	defer mu.Unlock()
	for _, c := range counts {
		n += c
	}
	return n
}

// Reset forgets the kept batches.
func Reset() {
	mu.Lock()
	defer mu.Unlock()
	failed = map[string][]*failure{}
}
