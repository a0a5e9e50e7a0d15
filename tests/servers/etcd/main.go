// Command etcd is the server of etcd as its own main package has it; the module keeps to one
// release of it. Tests take cores of it as a program that was not written for them.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
