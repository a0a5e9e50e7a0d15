package truth

import (
	"os"
	"runtime"
	"strconv"
)

// print writes the truth as one line. It appends to a buffer made at the start
// and allocates nothing.
func (p *Program) print(d *drop) {
	b := append(p.out[:0], '{')
	b = text(b, "program", p.name)
	b = text(b, "go_version", runtime.Version())
	b = integer(b, "pid", int64(os.Getpid()))
	b = integer(b, "gomaxprocs", int64(runtime.GOMAXPROCS(0)))
	b = integer(b, "goroutines", int64(runtime.NumGoroutine()))
	b = integer(b, "objects", int64(p.now.metrics[0].Value.Uint64()))
	b = integer(b, "heap_bytes", int64(p.now.stats.HeapAlloc))
	b = integer(b, "heap_live_bytes", p.now.live())
	if d != nil {
		b = text(b, "dropped", d.name)
		b = integer(b, "freed_bytes", d.bytes)
		b = integer(b, "freed_objects", d.objects)
	}
	b = p.appendRoots(b)
	b = p.appendTypes(b)
	b = p.appendFacts(b)
	b = addresses(b, "planted", p.planted)
	b = addresses(b, "forgotten", p.forgotten)
	b = p.appendMemStats(b)
	b = append(b, '}', '\n')
	p.write(b)
}

func (p *Program) appendRoots(b []byte) []byte {
	b = append(name(b, "roots"), '[')
	for i := range p.roots {
		r := &p.roots[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = text(b, "name", r.Name)
		b = text(b, "type", r.Type)
		b = text(b, "kind", r.Kind)
		b = integer(b, "count", r.Count)
		b = integer(b, "bytes", r.Bytes)
		b = integer(b, "retained_bytes", r.Retained)
		b = boolean(b, "droppable", r.Drop != nil)
		b = append(b, '}')
	}
	return append(b, ']')
}

func (p *Program) appendTypes(b []byte) []byte {
	b = append(name(b, "types"), '{')
	for i := range p.types {
		b = integer(b, p.types[i].name, p.types[i].n)
	}
	return append(b, '}')
}

func (p *Program) appendFacts(b []byte) []byte {
	b = append(name(b, "facts"), '{')
	for i := range p.facts {
		f := &p.facts[i]
		switch f.kind {
		case 's':
			b = text(b, f.key, f.text)
		case 'i':
			b = integer(b, f.key, int64(f.num))
		case 'b':
			b = boolean(b, f.key, f.num != 0)
		default:
			b = strconv.AppendFloat(name(b, f.key), f.num, 'g', -1, 64)
		}
	}
	return append(b, '}')
}

// appendMemStats gives the runtime's own counters by their own names.
func (p *Program) appendMemStats(b []byte) []byte {
	s := &p.now.stats
	b = append(name(b, "memstats"), '{')
	for _, v := range [...]struct {
		key   string
		value uint64
	}{
		{"Alloc", s.Alloc}, {"TotalAlloc", s.TotalAlloc}, {"Sys", s.Sys},
		{"Mallocs", s.Mallocs}, {"Frees", s.Frees},
		{"HeapAlloc", s.HeapAlloc}, {"HeapSys", s.HeapSys}, {"HeapIdle", s.HeapIdle},
		{"HeapInuse", s.HeapInuse}, {"HeapReleased", s.HeapReleased},
		{"HeapObjects", s.HeapObjects},
		{"StackInuse", s.StackInuse}, {"StackSys", s.StackSys},
		{"MSpanInuse", s.MSpanInuse}, {"MSpanSys", s.MSpanSys},
		{"MCacheInuse", s.MCacheInuse}, {"MCacheSys", s.MCacheSys},
		{"BuckHashSys", s.BuckHashSys}, {"GCSys", s.GCSys}, {"OtherSys", s.OtherSys},
		{"NextGC", s.NextGC}, {"LastGC", s.LastGC}, {"PauseTotalNs", s.PauseTotalNs},
		{"NumGC", uint64(s.NumGC)}, {"NumForcedGC", uint64(s.NumForcedGC)},
	} {
		b = strconv.AppendUint(name(b, v.key), v.value, 10)
	}
	return append(b, '}')
}

// name appends a key, after a comma where one is due.
func name(b []byte, key string) []byte {
	if last := b[len(b)-1]; last != '{' && last != '[' {
		b = append(b, ',')
	}
	return append(quote(b, key), ':')
}

func integer(b []byte, key string, n int64) []byte {
	return strconv.AppendInt(name(b, key), n, 10)
}

func boolean(b []byte, key string, v bool) []byte {
	return strconv.AppendBool(name(b, key), v)
}

func text(b []byte, key, s string) []byte { return quote(name(b, key), s) }

func quote(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
