package truth

import (
	"os"
	"runtime/debug"
	"syscall"
	"unsafe"
)

// drop is the answer to a "drop" command.
type drop struct {
	name    string
	bytes   int64
	objects int64
}

// serve answers the commands
//
//	gc         collect, print the truth again
//	drop NAME  let go of a root ("leak" also names main.leak), print what it freed
//	crash      end as a crashing Go program does (GOTRACEBACK=crash, SIGABRT)
//	abort      end by SIGABRT without the runtime's handler: the kernel then
//	           dumps every thread as it is
//
// and returns when stdin ends. It reads with plain system calls: the goroutine
// waits in read(2), and nothing is allocated.
func (p *Program) serve() {
	for {
		line, ok := p.readLine()
		if !ok {
			return
		}
		switch {
		case string(line) == "gc":
			p.finish()
			p.now.read()
			p.print(nil)
		case len(line) > 5 && string(line[:5]) == "drop ":
			p.drop(line[5:])
		case string(line) == "crash":
			debug.SetTraceback("crash")
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
		case string(line) == "abort":
			if p.atAbort != nil {
				p.atAbort()
			}
			abort()
		default:
			p.write([]byte("{\"error\":\"unknown command\"}\n"))
		}
	}
}

// readLine returns the next line without its end; it is valid until the next call.
func (p *Program) readLine() ([]byte, bool) {
	for {
		for i, c := range p.line {
			if c == '\n' {
				line := p.input[:copy(p.input[:], p.line[:i])]
				p.line = p.line[:copy(p.line, p.line[i+1:])]
				return line, true
			}
		}
		free := p.line[len(p.line):cap(p.line)]
		if len(free) == 0 {
			return nil, false
		}
		n, err := syscall.Read(0, free)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return nil, false
		}
		p.line = p.line[:len(p.line)+n]
	}
}

func (p *Program) drop(name []byte) {
	for i := range p.roots {
		r := &p.roots[i]
		if r.Drop == nil || r.Name != string(name) && r.Name != "main."+string(name) {
			continue
		}
		bytes := p.heap()
		objects := int64(p.now.stats.HeapObjects)
		r.Drop()
		bytes -= p.heap()
		objects -= int64(p.now.stats.HeapObjects)
		p.print(&drop{r.Name, bytes, objects})
		return
	}
	p.write([]byte("{\"error\":\"no such root, or it cannot be dropped\"}\n"))
}

// abort gives SIGABRT its default action behind the runtime's back.
func abort() {
	var action struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGABRT),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
}

func (p *Program) write(b []byte) {
	for len(b) > 0 {
		n, err := syscall.Write(1, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			os.Exit(1)
		}
		b = b[n:]
	}
}
