// Package seal joins the architectures of a program into one file, signs it ad hoc with the hardened runtime, and seals the
// resources of a bundle, on any system. Package verify reads back what it wrote, with other libraries.
package seal

import (
	"fmt"
	"os"

	"github.com/blacktop/go-macho"
)

// Join writes the universal file that holds the given single-architecture files, in their order.
func Join(out string, slices ...string) error {
	fat, err := macho.CreateFat(out, slices...)
	if err != nil {
		return fmt.Errorf("joining %v: %w", slices, err)
	}
	if err := fat.Close(); err != nil {
		return fmt.Errorf("joining %v: %w", slices, err)
	}
	return os.Chmod(out, 0o755)
}
