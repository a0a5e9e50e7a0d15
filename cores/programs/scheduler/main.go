// Command scheduler has a known number of goroutines, threads and timers in
// each state that the scheduler knows: four Ps, more goroutines that never stop
// working than those can run, goroutines locked to threads, threads in system
// calls, timers. With -idle nothing works. With -spare no more than so many
// threads may be added. With -stuck the image is taken while the world waits for
// a goroutine that never stops; that takes GODEBUG=asyncpreemptoff=1.
package main

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
	"unsafe"

	"spanwalk/programs/internal/truth"
)

const (
	procs   = 4
	locked  = 3 // goroutines that wait, each on a thread of its own
	sleeps  = 5
	later   = 7 // functions that a timer calls in an hour
	tickers = 2
)

var (
	idle    = flag.Bool("idle", false, "without goroutines that work")
	stuck   = flag.Bool("stuck", false, "stop the world in vain before the image")
	workers = flag.Int("workers", 12, "how many of those there are")
	readers = flag.Int("readers", 2, "threads that read from pipes")
	spare   = flag.Int("spare", 0, "threads that may be added; 0: as many as usual")
	crew    = truth.NewCrew()
)

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(procs)
	program := truth.Start("scheduler")
	crew.Go(locked, waitLocked)
	crew.Go(*readers, readPipe)
	crew.Go(sleeps, sleep)
	crew.Go(tickers, tick)
	for i := 0; i < later; i++ {
		time.AfterFunc(time.Hour, func() {})
	}
	crew.Wait()
	working := *workers
	if *idle {
		working = 0
	}
	program.Int("locked", locked)
	program.Int("readers", int64(*readers))
	program.Int("timers", sleeps+tickers+later)
	program.Int("workers", int64(working))
	crew.Go(working, work)
	crew.Wait()
	program.Int("created", created())
	if *spare > 0 {
		most := threads() + *spare
		debug.SetMaxThreads(most)
		program.Int("most threads", int64(most))
	}
	program.AtAbort(func() { time.Sleep(100 * time.Millisecond) }) // after the last collection
	if *stuck {
		program.AtAbort(stopTheWorld)
	}
	program.Hold()
	os.Exit(0) // the workers never end
}

// created is how many goroutines there have been; -1 before Go 1.26.
func created() int64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return -1
	}
	return int64(sample[0].Value.Uint64())
}

func threads() int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	return len(tasks)
}

// work never gives way: a signal stops it.
//
//go:noinline
func work(i int) {
	crew.Ready()
	for {
		i = i*i + 1
	}
}

// stopTheWorld has the collector wait for a worker, and for this goroutine,
// which dumps the process and makes no call that could stop it.
func stopTheWorld() {
	crew.Go(1, work)
	crew.Wait()
	var action [4]uintptr
	pid := syscall.Getpid()
	pause := syscall.NsecToTimespec(200e6)
	go runtime.GC()
	syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGABRT),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	syscall.RawSyscall(syscall.SYS_KILL, uintptr(pid), uintptr(syscall.SIGABRT), 0)
	syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
}

//go:noinline
func waitLocked(int) {
	runtime.LockOSThread()
	crew.Ready()
	<-crew.Done
}

//go:noinline
func readPipe(int) {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	var buffer [8]byte
	crew.Ready()
	for {
		_, _ = syscall.Read(pipe[0], buffer[:])
	}
}

//go:noinline
func sleep(int) {
	crew.Ready()
	time.Sleep(time.Hour)
}

//go:noinline
func tick(int) {
	ticker := time.NewTicker(time.Hour)
	crew.Ready()
	<-ticker.C
}
