package plant

import (
	"bytes"
	"runtime"
)

// stacks is the traceback of all goroutines.
func stacks() []byte {
	for size := 1 << 20; ; size *= 2 {
		b := make([]byte, size)
		if n := runtime.Stack(b, true); n < size {
			return b[:n]
		}
	}
}

// Older releases of Go have one wait reason for all that package sync waits for.
var oldReasons = map[string]string{
	"sync.Mutex.Lock":     "semacquire",
	"sync.RWMutex.Lock":   "semacquire",
	"sync.RWMutex.RLock":  "semacquire",
	"sync.WaitGroup.Wait": "semacquire",
}

// parked counts the goroutines that wait at each of the places.
func parked(places map[place]int) map[place]int {
	found := make(map[place]int, len(places))
	for where := range places {
		found[where] = 0
	}
	for _, one := range bytes.Split(stacks(), []byte("\n\n")) {
		state := state(one)
		for where := range places {
			if state != where.wait && (state == "" || state != oldReasons[where.wait]) {
				continue
			}
			if bytes.Contains(one, []byte("\n"+where.function+"(")) {
				found[where]++
			}
		}
	}
	return found
}

// state is what stands in the brackets of a traceback's first line, up to the first comma.
func state(one []byte) string {
	from := bytes.IndexByte(one, '[')
	to := bytes.IndexAny(one, "],\n")
	if from < 0 || to < from {
		return ""
	}
	return string(one[from+1 : to])
}
