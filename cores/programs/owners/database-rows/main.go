// Command database-rows is a service in front of a database that loses connections of its pool in
// the ways of the field: rows that are kept in a map of cursors, rows that a handler drops on its
// way out, rows that only the context of their query remembers, a transaction that is neither
// committed nor rolled back; and handlers that wait for a connection behind them.
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"flag"
	"io"
	"runtime"
	"strconv"
	"time"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 4, "cursors that are never closed")
	fixed = flag.Bool("fixed", false, "close rows, end transactions")
)

const (
	dropped   = 3 // rows without a context: garbage
	cancelled = 2 // rows that wait for their context
	open      = 1 // transactions
	waiters   = 3
	idle      = 2 // of the second pool
	busy      = 1 // of the second pool: a handler reads rows
	columns   = 3
)

var (
	orders  *sql.DB // the pool that is used up
	reports *sql.DB // the one that is not
	cursors = map[string]*sql.Rows{}
	pending []*sql.Tx
	stop    context.CancelFunc
	ctx     context.Context
	gate    = make(chan struct{})
)

func main() {
	p := truth.Start("database-rows")
	ctx, stop = context.WithCancel(context.Background())
	lost := *count + dropped + cancelled + open
	sql.Register("fake", fakeDriver{})
	orders, reports = connect("orders"), connect("reports")
	orders.SetMaxOpenConns(lost)
	orders.SetMaxIdleConns(lost)
	reports.SetMaxIdleConns(idle)
	if *fixed {
		lost = 0
	}
	p.Add(truth.Root{Name: "main.cursors", Type: "map[string]*sql.Rows", Count: int64(*count),
		Make: func() {
			for i := 0; i < *count; i++ {
				list("cursor-" + strconv.Itoa(i))
			}
		}})
	for i := 0; i < dropped; i++ {
		find(context.Background())
	}
	for i := 0; i < cancelled; i++ {
		find(ctx)
	}
	for i := 0; i < open; i++ {
		pay()
	}
	settled := spare()
	if !*fixed {
		for i := 0; i < waiters; i++ {
			go wait()
		}
		p.Int("cursors", int64(*count))
		p.Int("dropped_rows", dropped)
		p.Int("cancelled_rows", cancelled)
		p.Int("open_transactions", open)
		p.Int("waiters", waiters)
	}
	for orders.Stats().WaitCount < int64(waiters) && !*fixed {
		time.Sleep(time.Millisecond)
	}
	<-settled
	time.Sleep(20 * time.Millisecond)
	tell(p, "orders", orders)
	tell(p, "reports", reports)
	p.Int("lost_connections", int64(lost))
	p.Hold()
	runtime.KeepAlive(pending)
}

// tell states what the pool says of itself.
func tell(p *truth.Program, name string, db *sql.DB) {
	stats := db.Stats()
	p.Int(name+"_max_open", int64(stats.MaxOpenConnections))
	p.Int(name+"_open", int64(stats.OpenConnections))
	p.Int(name+"_in_use", int64(stats.InUse))
	p.Int(name+"_idle", int64(stats.Idle))
	p.Int(name+"_wait_count", stats.WaitCount)
}

func connect(name string) *sql.DB {
	db, err := sql.Open("fake", name)
	if err != nil {
		panic(err)
	}
	return db
}

func query(ctx context.Context, db *sql.DB) *sql.Rows {
	rows, err := db.QueryContext(ctx, "SELECT id, total, customer FROM orders")
	if err != nil {
		panic(err)
	}
	return rows
}

// list keeps rows for the next page, which nobody asks for.
func list(name string) {
	rows := query(context.Background(), orders)
	if *fixed {
		rows.Close()
		return
	}
	cursors[name] = rows
}

// find returns with the first row and without Close.
//
//go:noinline
func find(ctx context.Context) {
	rows := query(ctx, orders)
	rows.Next()
	if *fixed {
		rows.Close()
	}
}

func pay() {
	tx, err := orders.Begin()
	if err != nil {
		panic(err)
	}
	if *fixed {
		err = tx.Rollback()
		if err != nil {
			panic(err)
		}
		return
	}
	pending = append(pending, tx)
}

// wait asks for a connection when there is none.
func wait() {
	rows, err := orders.QueryContext(ctx, "SELECT 1")
	if err == nil {
		rows.Close()
	}
}

// spare leaves idle connections in the second pool, and one that a handler works with.
func spare() chan struct{} {
	settled := make(chan struct{})
	var held []*sql.Rows
	for i := 0; i < idle+busy; i++ {
		held = append(held, query(context.Background(), reports))
	}
	for i := 0; i < idle; i++ {
		held[i].Close()
	}
	go export(held[idle], settled)
	return settled
}

//go:noinline
func export(rows *sql.Rows, settled chan struct{}) {
	defer rows.Close()
	settled <- struct{}{}
	<-gate
	for rows.Next() {
	}
}

// ---- a database that has three rows for every query ----

type fakeDriver struct{}

type fakeConn struct {
	dsn    string
	buffer [4096]byte
}

type fakeRows struct {
	conn *fakeConn
	left int
}

func (fakeDriver) Open(dsn string) (driver.Conn, error) { return &fakeConn{dsn: dsn}, nil }

func (c *fakeConn) Prepare(string) (driver.Stmt, error) { return fakeStmt{c}, nil }
func (c *fakeConn) Close() error                        { return nil }
func (c *fakeConn) Begin() (driver.Tx, error)           { return fakeTx{}, nil }

type fakeStmt struct{ conn *fakeConn }

func (s fakeStmt) Close() error                               { return nil }
func (s fakeStmt) NumInput() int                              { return 0 }
func (s fakeStmt) Exec([]driver.Value) (driver.Result, error) { return driver.ResultNoRows, nil }
func (s fakeStmt) Query([]driver.Value) (driver.Rows, error)  { return &fakeRows{s.conn, 3}, nil }

type fakeTx struct{}

func (fakeTx) Commit() error   { return nil }
func (fakeTx) Rollback() error { return nil }

func (r *fakeRows) Columns() []string { return make([]string, columns) }
func (r *fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(values []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	for i := range values {
		values[i] = int64(r.left)
	}
	return nil
}
