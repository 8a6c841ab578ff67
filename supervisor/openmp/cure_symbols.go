package openmp

// Symbols tells what libraries offer and take, for one architecture, in the form of Defines and Needs.
type Symbols interface {
	Lacks(path, arch string, symbols []string) ([]string, error) // which of them the library does not define
	Needs(u User, arch string) ([]string, error)                 // what the user takes from the runtime it asks for
}

// DiskSymbols reads the files.
type DiskSymbols struct{}

// Lacks is Defines.
func (DiskSymbols) Lacks(path, arch string, symbols []string) ([]string, error) {
	return Defines(path, arch, symbols)
}

// Needs is the function of that name.
func (DiskSymbols) Needs(u User, arch string) ([]string, error) { return Needs(u, arch) }
