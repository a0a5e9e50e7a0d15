// Command dead-producer leaks a whole pool: its producer has died in a panic that was recovered,
// the workers wait for jobs, somebody waits for the workers, and somebody else for the results.
package main

import (
	"sync"

	"spanwalk/programs/leaks/plant"
)

const (
	workers = 4
	jobs    = 20
)

type job struct{ id int }

var stock = make(chan *job)

func main() {
	p := plant.Start("dead-producer")
	p.Leak(func(int) { pool() },
		plant.Group{Function: "main.work", Wait: "chan receive", On: "chan *main.job", Each: workers},
		plant.Group{Function: "main.closeAfter", Wait: "sync.WaitGroup.Wait", On: "sync.WaitGroup"},
		plant.Group{Function: "main.collect", Wait: "chan receive", On: "chan int"})
	sink, done := make(chan int), new(sync.WaitGroup)
	p.Healthy(func(int) {
		done.Add(1)
		go work(stock, sink, done)
	}, plant.Group{Function: "main.work", Wait: "chan receive", On: "chan *main.job"})
	p.Hold()
}

func pool() {
	todo, results, done := make(chan *job), make(chan int), new(sync.WaitGroup)
	for i := 0; i < workers; i++ {
		done.Add(1)
		go work(todo, results, done)
	}
	go closeAfter(done, results)
	go collect(results)
	go produce(todo)
}

//go:noinline
func produce(todo chan<- *job) {
	defer func() {
		if recover() == nil || plant.Fixed() {
			close(todo)
		}
	}()
	for i := 0; i < jobs; i++ {
		todo <- &job{i}
	}
	panic("the source is gone")
}

//go:noinline
func work(todo <-chan *job, results chan<- int, done *sync.WaitGroup) {
	defer done.Done()
	for j := range todo {
		results <- j.id
	}
}

//go:noinline
func closeAfter(done *sync.WaitGroup, results chan<- int) {
	done.Wait()
	close(results)
}

//go:noinline
func collect(results <-chan int) (sum int) {
	for n := range results {
		sum += n
	}
	return sum
}
