// Command sockets is a proxy that has a descriptor of each kind open: TCP, UDP and Unix sockets,
// what listens for them, TLS above TCP, a pipe; goroutines wait for some of them.
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
	"os"
	"runtime"
	"time"

	"spanwalk/programs/internal/truth"
)

var fixed = flag.Bool("fixed", false, "nothing is wrong here: for the sake of uniformity")

// counted is what a proxy wraps its connections into.
type counted struct {
	net.Conn
	bytes int64
}

var (
	web      net.Listener
	local    net.Listener
	datagram *net.UDPConn
	client   *counted
	secure   *tls.Conn
	peers    []net.Conn
	events   [2]*os.File
	errs     = make(chan error, 8)
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	p := truth.Start("sockets")
	_ = *fixed
	var err error
	web, err = net.Listen("tcp", "127.0.0.1:0")
	must(err)
	path := "proxy.sock"
	local, err = net.Listen("unix", path)
	must(err)
	datagram, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(err)
	plain, accepted := pair(web)
	client = &counted{Conn: plain}
	under, over := pair(web)
	handshake(under, over)
	localClient, localServer := pair(local)
	peers = append(peers, accepted, localClient, localServer)
	events[0], events[1], err = os.Pipe()
	must(err)

	go accept(web)
	go read(accepted)
	go readFile(events[0])
	p.Text("listen_tcp", web.Addr().String())
	p.Text("listen_unix", path)
	p.Text("udp", datagram.LocalAddr().String())
	p.Text("client_local", plain.LocalAddr().String())
	p.Text("client_remote", plain.RemoteAddr().String())
	p.Text("tls_local", under.LocalAddr().String())
	p.Text("unix_remote", localClient.RemoteAddr().String())
	p.Int("tcp", 4)
	p.Int("unix", 2)
	p.Int("listeners", 2)
	p.Int("files", 5)
	p.Int("tls", 2)
	p.Int("readers", 3)
	time.Sleep(30 * time.Millisecond)
	p.Hold()
	runtime.KeepAlive(client)
}

// pair dials a listener and returns both ends.
func pair(listener net.Listener) (dialled, accepted net.Conn) {
	done := make(chan net.Conn)
	go func() {
		conn, err := listener.Accept()
		must(err)
		done <- conn
	}()
	dialled, err := net.Dial(listener.Addr().Network(), listener.Addr().String())
	must(err)
	return dialled, <-done
}

func handshake(under, over net.Conn) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"proxy"},
		NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	server := tls.Server(over, &tls.Config{Certificates: []tls.Certificate{
		{Certificate: [][]byte{certificate}, PrivateKey: key}}})
	secure = tls.Client(under, &tls.Config{InsecureSkipVerify: true})
	go func() { errs <- server.Handshake() }()
	must(secure.Handshake())
	must(<-errs)
	peers = append(peers, server)
}

//go:noinline
func accept(listener net.Listener) {
	_, err := listener.Accept()
	errs <- err
}

//go:noinline
func read(conn net.Conn) {
	_, err := conn.Read(make([]byte, 1))
	errs <- err
}

//go:noinline
func readFile(file *os.File) {
	_, err := file.Read(make([]byte, 1))
	errs <- err
}
