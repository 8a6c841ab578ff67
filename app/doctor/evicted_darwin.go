package doctor

import (
	"io/fs"
	"syscall"
)

// sfDataless is SF_DATALESS of <sys/stat.h>: the file is there, and its contents are not.
const sfDataless = 0x40000000

func dataless(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Flags&sfDataless != 0
}
