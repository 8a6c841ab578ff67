package openmp

import "bytes"

// mostNames is how much of a string table is read at once. Names that lie farther apart are read one by one.
const mostNames = 1 << 20

// nameTable reads some of the names of a string table: those of a few symbols mostly lie together.
type nameTable struct {
	table  bounded
	lo, hi int64
	buf    []byte
}

func readNames(table bounded) *nameTable { return &nameTable{table: table, lo: table.size} }

// want says that the name at an offset will be asked for.
func (n *nameTable) want(offset int64) { n.lo, n.hi = min(n.lo, offset), max(n.hi, offset) }

func (n *nameTable) load() error {
	end := min(n.table.size, n.hi+256)
	if end <= n.lo || end-n.lo > mostNames {
		return nil
	}
	var err error
	n.buf, err = n.table.at(n.lo, end-n.lo)
	return err
}

func (n *nameTable) get(offset int64) (string, error) {
	if i := offset - n.lo; i >= 0 && i < int64(len(n.buf)) {
		if end := bytes.IndexByte(n.buf[i:], 0); end >= 0 {
			return string(n.buf[i : i+int64(end)]), nil
		}
	}
	return n.table.string(offset)
}
