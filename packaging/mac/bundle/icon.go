package main

import (
	"bytes"
	"fmt"
	"image/png"
	"os"

	"github.com/jackmordaunt/icns/v3"
)

// icon makes the app's icon in every size from its picture of 1024 px. The picture is checked in, not rendered while building:
// each version of rsvg-convert draws a little differently, and the same sources are to give the same bytes.
func icon(picture string) ([]byte, error) {
	f, err := os.Open(picture)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", picture, err)
	}
	if b := img.Bounds(); b.Dx() != 1024 || b.Dy() != 1024 {
		return nil, fmt.Errorf("%s is %d × %d pixels, not 1024 × 1024", picture, b.Dx(), b.Dy())
	}
	var out bytes.Buffer
	if err := icns.NewEncoder(&out).WithAlgorithm(icns.Lanczos3).Encode(img); err != nil {
		return nil, fmt.Errorf("making the icon: %w", err)
	}
	return out.Bytes(), nil
}
