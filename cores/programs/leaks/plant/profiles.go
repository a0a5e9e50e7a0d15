package plant

import (
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
)

// writeProfiles writes the profiles "goroutine" and, from Go 1.27 on or in 1.26 with
// GOEXPERIMENT=goroutineleakprofile, "goroutineleak", as text of each form: debug=2 is the
// traceback of all goroutines, debug=1 counts those with the same stack and labels.
func writeProfiles(folder string) {
	for _, name := range []string{"goroutine", "goroutineleak"} {
		profile := pprof.Lookup(name)
		if profile == nil {
			continue
		}
		for debug := 2; debug > 0; debug-- {
			writeProfile(profile, filepath.Join(folder, name+"."+strconv.Itoa(debug)), debug)
		}
	}
}

// searchLeaks makes the runtime look for leaked goroutines; the states of those show it.
func searchLeaks() {
	if err := pprof.Lookup("goroutineleak").WriteTo(io.Discard, 1); err != nil {
		panic(err)
	}
}

func writeProfile(profile *pprof.Profile, path string, debug int) {
	file, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	if err := profile.WriteTo(file, debug); err != nil {
		panic(err)
	}
	if err := file.Close(); err != nil {
		panic(err)
	}
}
