// Command c-arena decodes packets with a C library that has an arena of its own: chunks of malloc'ed
// memory in a list. Go looks at what was decoded without copying it, which no garbage collector knows
// of: when the library starts over (Free), the sessions that were not copied look at memory that is
// handed out anew. Repaired (-fixed), they copy.
package main

/*
#include <stdlib.h>
#include <string.h>

typedef struct packet_arena {
	char *base;
	size_t used, size;
	struct packet_arena *next;
} packet_arena;

static packet_arena *packets;

static char *packet_take(const char *bytes, size_t length, size_t chunk)
{
	if (!packets || packets->used + length > packets->size) {
		packet_arena *arena = malloc(sizeof(*arena));
		arena->base = malloc(chunk);
		arena->used = 0;
		arena->size = chunk;
		arena->next = packets;
		packets = arena;
	}
	char *to = packets->base + packets->used;
	memcpy(to, bytes, length);
	packets->used += length;
	return to;
}

// The newest chunk starts over.
static void packet_reset(void)
{
	packets->used = 0;
}
*/
import "C"

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 25, "sessions")
	fixed = flag.Bool("fixed", false, "sessions copy")
)

const (
	chunk = 32 << 10
	size  = 4 << 10 // of a packet: 8 in a chunk
	name  = 24
)

type session struct {
	peer    string
	payload []byte
}

var sessions []*session

func text(b []byte) string { return *(*string)(unsafe.Pointer(&b)) }

// open decodes one packet: a name, and what follows it.
func open(number int) {
	packet := make([]byte, size)
	copy(packet, fmt.Sprintf("peer-%019d", number))
	at := C.packet_take((*C.char)(unsafe.Pointer(&packet[0])), size, chunk)
	b := (*[size]byte)(unsafe.Pointer(at))[:]
	s := &session{peer: text(b[:name]), payload: b[name : name+100 : name+100]}
	if *fixed {
		s = &session{peer: string(b[:name]), payload: append([]byte(nil), b[name:name+100]...)}
	}
	sessions = append(sessions, s)
}

func main() {
	runtime.GOMAXPROCS(2)
	p := truth.Start("c-arena")
	for i := 0; i < *count; i++ {
		open(i)
	}
	C.packet_reset()
	perChunk := chunk / size
	chunks := (*count + perChunk - 1) / perChunk
	last := *count - (chunks-1)*perChunk
	views, stale := 2**count, 2*last
	if *fixed {
		views, stale = 0, 0
	}
	p.Int("chunks", int64(chunks))
	p.Int("chunk_bytes", chunk)
	p.Int("used_bytes", int64((chunks-1)*chunk))
	p.Int("views", int64(views))
	p.Int("stale_views", int64(stale))
	p.Int("viewed_bytes", int64(views/2*(name+100)))
	p.Hold()
	runtime.KeepAlive(sessions)
	os.Exit(0)
}
