package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/png"
	"os"
)

// pictures are the types in an icon file and the pixels of each; @2x is the same size in points at twice the resolution.
var pictures = map[string]int{
	"ic11": 32,   // 16 pt @2x, and 32 pt
	"ic12": 64,   // 32 pt @2x
	"ic07": 128,  // 128 pt
	"ic13": 256,  // 128 pt @2x
	"ic08": 256,  // 256 pt
	"ic14": 512,  // 256 pt @2x
	"ic09": 512,  // 512 pt
	"ic10": 1024, // 512 pt @2x
}

// Icon checks that an icon file holds a picture of every size, each with something on it and clear corners.
func Icon(path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(file) < 8 || string(file[:4]) != "icns" || binary.BigEndian.Uint32(file[4:]) != uint32(len(file)) {
		return fmt.Errorf("%s is no icon file", path)
	}
	var wrong []error
	seen := map[string]bool{}
	for rest := file[8:]; len(rest) >= 8; {
		kind, length := string(rest[:4]), binary.BigEndian.Uint32(rest[4:])
		if length < 8 || uint64(length) > uint64(len(rest)) {
			return fmt.Errorf("%s: %q has length %d", path, kind, length)
		}
		if err := picture(rest[8:length], pictures[kind]); err != nil {
			wrong = append(wrong, fmt.Errorf("%s, %s: %w", path, kind, err))
		}
		seen[kind] = true
		rest = rest[length:]
	}
	for kind, size := range pictures {
		if !seen[kind] {
			wrong = append(wrong, fmt.Errorf("%s has no %s (%d pixels)", path, kind, size))
		}
	}
	return errors.Join(wrong...)
}

func picture(content []byte, size int) error {
	img, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		return err
	}
	if b := img.Bounds(); b.Dx() != size || b.Dy() != size {
		return fmt.Errorf("%d × %d pixels, not %d", b.Dx(), b.Dy(), size)
	}
	if _, _, _, alpha := img.At(0, 0).RGBA(); alpha != 0 {
		return errors.New("its corner is not clear")
	}
	if _, _, _, alpha := img.At(size/2, size/2).RGBA(); alpha != 0xffff {
		return errors.New("its middle is empty")
	}
	return nil
}
