package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// feeder is a client that sends the same requests in every run.
type feeder struct {
	url       string
	transport *http.Transport
	client    *http.Client
	sent      int
	series    int
	batch     bytes.Buffer
}

func newFeeder(url string) *feeder {
	t := &http.Transport{MaxIdleConnsPerHost: 1}
	return &feeder{url: url + "/write", transport: t, client: &http.Client{Transport: t}}
}

func (f *feeder) close() { f.transport.CloseIdleConnections() }

// post sends the batch.
func (f *feeder) post(want int) {
	resp, err := f.client.Post(f.url, "text/plain", bytes.NewReader(f.batch.Bytes()))
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != want {
		panic(fmt.Sprint("status ", resp.StatusCode))
	}
	f.sent++
	f.batch.Reset()
}

// fixedSeries sends points of one series, and takes a new connection every few
// requests.
func (f *feeder) fixedSeries(n int) {
	for i := 0; i < n; i++ {
		if i%perConn == 0 {
			f.close()
		}
		for i := 0; i < 20; i++ {
			fmt.Fprintf(&f.batch, "cpu,host=web01,region=eu idle=%d,user=%d %d\n", 90-i, i, 1700000000+i)
		}
		f.post(http.StatusNoContent)
	}
}

// newSeries sends points whose request_id no other point has.
func (f *feeder) newSeries(n int) {
	for i := 0; i < n; i++ {
		for j := 0; j < seriesBatch; j++ {
			f.series++
			fmt.Fprintf(&f.batch, "http,host=web%02d,region=eu,request_id=%016x latency=%d 1700000000\n",
				f.series%16, f.series*2654435761, f.series%97)
		}
		f.post(http.StatusNoContent)
	}
}

var reasons = []string{
	"disk,host value=1 1700000000\n",            // tag without value
	"disk,host=web01 value=one 1700000000\n",    // bad number
	"disk,host=web01\n",                         // missing fields
	"disk,host=web01 value=1 a-long-time-ago\n", // bad timestamp
}

// badBatches sends batches of good lines that end in a bad one.
func (f *feeder) badBatches(n int) {
	for i := 0; i < n; i++ {
		for f.batch.Len() < badBatch {
			fmt.Fprintf(&f.batch, "disk,host=web01,region=eu used=%d 1700000000\n", i)
		}
		f.batch.WriteString(reasons[i%len(reasons)])
		f.post(http.StatusUnprocessableEntity)
	}
}
