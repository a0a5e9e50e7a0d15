// Command event-streams follows feeds of events over HTTP/2: all of them are streams of one
// connection, which a connection pool that counts in connections does not show.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"time"

	"spanwalk/programs/internal/truth"
)

var (
	count = flag.Int("count", 6, "feeds")
	fixed = flag.Bool("fixed", false, "close every feed")
)

var (
	client *http.Client
	feeds  []*http.Response
	server *http.Server
	gate   = make(chan struct{})
)

func main() {
	p := truth.Start("event-streams")
	address := serve()
	client = &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
	p.Add(truth.Root{Name: "main.feeds", Type: "[]*http.Response", Count: int64(*count),
		Make: func() {
			for i := 0; i < *count; i++ {
				follow("https://" + address + "/feed")
			}
		}})
	for last, same := -1, 0; same < 10; same++ {
		time.Sleep(5 * time.Millisecond)
		if now := runtime.NumGoroutine(); now != last {
			last, same = now, 0
		}
	}
	p.Text("address", address)
	p.Int("streams", int64(len(feeds)))
	p.SetSettle(10 * time.Millisecond)
	p.Hold()
	runtime.KeepAlive(server)
}

func follow(url string) {
	response, err := client.Get(url)
	if err != nil {
		panic(err)
	}
	if response.ProtoMajor != 2 {
		panic(response.Proto)
	}
	if *fixed {
		response.Body.Close()
		return
	}
	feeds = append(feeds, response)
}

func serve() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"events"},
		NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{
			{Certificate: [][]byte{certificate}, PrivateKey: key}}},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return listener.Addr().String()
}
