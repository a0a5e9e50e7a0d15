package main

import (
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

// waits has goroutines that wait for the system, some on a thread of their own.
func waits(add func(string, int, int, func(int))) {
	add("lockedWait", 2, 1, lockedWait)
	add("lockedRead", 2, 1, lockedRead)
	add("readPipe", 2, 1, readPipe)
	add("accept", 2, 1, accept)
	add("sleep", 2, 1, sleep)
	add("sleepInSystem", 2, 1, sleepInSystem)
}

//go:noinline
func lockedWait(i int) {
	runtime.LockOSThread()
	it := newItem(i)
	park()
	runtime.KeepAlive(it)
}

//go:noinline
func lockedRead(i int) {
	runtime.LockOSThread()
	it := newItem(i)
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	var buffer [8]byte
	crew.Ready()
	_, _ = syscall.Read(pipe[0], buffer[:])
	it.id = int(buffer[0])
}

//go:noinline
func readPipe(i int) {
	it := newItem(i)
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	buffer := make([]byte, 8)
	crew.Ready()
	_, _ = r.Read(buffer)
	it.id = int(buffer[0])
	runtime.KeepAlive(w) // or its finalizer ends the wait
}

//go:noinline
func accept(i int) {
	it := newItem(i)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	crew.Ready()
	_, _ = listener.Accept()
	runtime.KeepAlive(it)
}

//go:noinline
func sleep(i int) {
	it := newItem(i)
	crew.Ready()
	time.Sleep(time.Hour)
	runtime.KeepAlive(it)
}

//go:noinline
func sleepInSystem(i int) {
	it := newItem(i)
	crew.Ready()
	hour := syscall.NsecToTimespec(int64(time.Hour))
	for {
		_ = syscall.Nanosleep(&hour, nil)
		it.id++
	}
}
