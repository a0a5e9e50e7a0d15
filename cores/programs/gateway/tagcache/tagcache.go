// Package tagcache interns the tag sets of incoming points, so that points of
// one series share them.
package tagcache

import (
	"sort"
	"strings"
	"sync"
	"time"
)

// Tag is one key and value, as in "host=web01".
type Tag struct {
	Key, Value string
}

// tagSet is what the points of a series have in common.
type tagSet struct {
	key      string // canonical: sorted by key, "host=web01,region=eu"
	tags     []Tag
	points   uint64
	lastSeen time.Time
}

var (
	mu   sync.Mutex
	sets = map[string]*tagSet{}
)

// Limit bounds the cache; 0 means that it grows with every new series.
var Limit int

// Intern counts a point for the series with these tags and returns its key.
func Intern(tags []Tag) string {
	sort.Slice(tags, func(i, j int) bool { return tags[i].Key < tags[j].Key })
	key := canonical(tags)
	mu.Lock()
	defer mu.Unlock()
	set := sets[key]
	if set == nil {
		if Limit > 0 && len(sets) >= Limit {
			evict()
		}
		set = &tagSet{key: key, tags: clone(tags)}
		sets[key] = set
	}
	set.points++
	set.lastSeen = time.Now()
	return set.key
}

func canonical(tags []Tag) string {
	var b strings.Builder
	for i, tag := range tags {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(tag.Key)
		b.WriteByte('=')
		b.WriteString(tag.Value)
	}
	return strings.Clone(b.String())
}

func clone(tags []Tag) []Tag {
	c := make([]Tag, len(tags))
	for i, tag := range tags {
		c[i] = Tag{strings.Clone(tag.Key), strings.Clone(tag.Value)}
	}
	return c
}

// evict makes room for one set.
func evict() {
	for key := range sets {
		delete(sets, key)
		return
	}
}

// Len returns the number of series known.
func Len() int {
	mu.Lock()
	defer mu.Unlock()
	return len(sets)
}

// Reset forgets every series.
func Reset() {
	mu.Lock()
	defer mu.Unlock()
	sets = map[string]*tagSet{}
}
