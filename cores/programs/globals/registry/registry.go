// Package registry has package-level variables of another package, some of
// them not exported.
package registry

// Entry is registered by name.
type Entry struct {
	Name string
	Next *Entry
	Data []byte
}

// Default is exported, hidden is not; both sit in the data or bss section.
var (
	Default = map[string]*Entry{}
	hidden  *Entry
)

// Add registers an entry with n bytes of data in both variables.
func Add(name string, n int) {
	e := &Entry{Name: name, Next: hidden, Data: make([]byte, n)}
	hidden = e
	Default[name] = e
}

// Reset forgets every entry.
func Reset() {
	Default, hidden = nil, nil
}
