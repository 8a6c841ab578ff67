package memory

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// Where the fields of macOS's struct rusage_info_v4 stand (<sys/resource.h>; a test holds them against an excerpt of it). The structure only
// has fields of fixed sizes, in the order of the header, on both architectures.
const (
	rusageInfoV4   = 4   // the flavor that proc_pid_rusage is asked for
	rusageSize     = 296 // bytes
	offsetResident = 64  // ri_resident_size
	offsetPhysical = 72  // ri_phys_footprint
)

// footprintIn reads what proc_pid_rusage wrote.
func footprintIn(b *[rusageSize]byte) Figure {
	footprint := binary.NativeEndian.Uint64(b[offsetPhysical:])
	return Figure{RSS: binary.NativeEndian.Uint64(b[offsetResident:]), Used: footprint, Held: footprint}
}

// kilobytes reads lines of the form "VmRSS:	  1234 kB" by their names; what is not there is 0.
func kilobytes(text []byte, into map[string]*uint64) {
	for len(text) > 0 {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		i := bytes.IndexByte(line, ':')
		if i < 0 {
			continue
		}
		n, wanted := into[string(line[:i])]
		if !wanted {
			continue
		}
		word := string(bytes.TrimSuffix(bytes.TrimSpace(line[i+1:]), []byte(" kB")))
		if v, err := strconv.ParseUint(word, 10, 54); err == nil { // as many bytes fit
			*n = v << 10
		}
	}
}

// statusFigure reads /proc/PID/status. Kernels before 4.5 do not tell of what kind resident memory is: all of it counts as held then.
func statusFigure(text []byte) Figure {
	var rss, anon, file, shmem, swap uint64
	kilobytes(text, map[string]*uint64{"VmRSS": &rss, "RssAnon": &anon, "RssFile": &file, "RssShmem": &shmem, "VmSwap": &swap})
	if anon+file+shmem == 0 {
		anon = rss
	}
	return Figure{RSS: rss, Used: rss + swap, Held: anon + shmem + swap}
}

// rollupFigure reads /proc/PID/smaps_rollup, where what is shared is divided among those who share it. false: this kernel does not say of
// what kind the proportional memory is (before 5.4), or it is no such file.
func rollupFigure(text []byte) (Figure, bool) {
	var pss, anon, file, shmem, swap uint64
	kilobytes(text, map[string]*uint64{"Pss": &pss, "Pss_Anon": &anon, "Pss_File": &file, "Pss_Shmem": &shmem, "SwapPss": &swap})
	if pss == 0 || anon+file+shmem == 0 {
		return Figure{}, false
	}
	return Figure{RSS: pss, Used: pss + swap, Held: anon + shmem + swap}, true
}

// pressureIn reads Linux's /proc/pressure/memory: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same of "full".
func pressureIn(text string) (some, full float64, ok bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		word, is := strings.CutPrefix(f[1], "avg10=")
		percent, err := strconv.ParseFloat(word, 64)
		if !is || err != nil || !(percent >= 0 && percent <= 100) {
			continue
		}
		switch f[0] {
		case "some":
			some, ok = percent/100, true
		case "full":
			full = percent / 100
		}
	}
	return some, full, ok
}
