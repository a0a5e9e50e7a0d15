package truth

import (
	"strconv"
	"unsafe"
)

// Planted states that an object stays reachable for as long as the process
// lives, wherever the only pointer to it may be at the moment: in a register,
// a frame, a channel. The truth gives its address, and does not keep it alive.
func (p *Program) Planted(object unsafe.Pointer) {
	p.planted = append(p.planted, uintptr(object))
}

// Forgotten states that an object is garbage in the image that the command
// abort leaves, although its memory is not free yet.
func (p *Program) Forgotten(object unsafe.Pointer) {
	p.forgotten = append(p.forgotten, uintptr(object))
}

// AtAbort sets what runs right before the process dumps itself on "abort".
func (p *Program) AtAbort(f func()) { p.atAbort = f }

func addresses(b []byte, key string, objects []uintptr) []byte {
	b = append(name(b, key), '[')
	for i, object := range objects {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"0x`...)
		b = strconv.AppendUint(b, uint64(object), 16)
		b = append(b, '"')
	}
	return append(b, ']')
}
