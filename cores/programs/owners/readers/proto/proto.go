// Package proto has a Buffer with the fields of github.com/golang/protobuf's.
package proto

// Buffer is a buffer manager for marshaling and unmarshaling messages.
type Buffer struct {
	buf           []byte
	idx           int
	deterministic bool
}

// NewBuffer allocates a Buffer with the bytes of a message.
func NewBuffer(buf []byte) *Buffer { return &Buffer{buf: buf} }

// DecodeRawBytes takes the next n bytes.
func (b *Buffer) DecodeRawBytes(n int) []byte {
	b.idx += n
	return append([]byte(nil), b.buf[b.idx-n:b.idx]...)
}
