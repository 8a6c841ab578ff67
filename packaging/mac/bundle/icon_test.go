package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/packaging/mac/bundle/verify"
)

func TestAnIconHasEverySize(t *testing.T) {
	content, err := icon("../Vivarium.png")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "a.icns")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	require.NoError(t, verify.Icon(path))

	for says, broken := range map[string][]byte{
		"is no icon file":  content[:len(content)-1],
		"has length":       append(bytes.Clone(content[:8]), append([]byte("ic07\xff\xff\xff\xff"), content[16:]...)...),
		"ic11 (32 pixels)": without(content, "ic11"),
		"pixels, not 0":    bytes.Replace(content, []byte("ic11"), []byte("ic99"), 1),
		"pixels, not 64":   bytes.Replace(content, []byte("ic11"), []byte("ic12"), 1),
		"invalid format":   bytes.Replace(content, []byte("IHDR"), []byte("IHDX"), 1),
	} {
		require.NoError(t, os.WriteFile(path, broken, 0o600))
		require.ErrorContains(t, verify.Icon(path), says)
	}
}

// without takes a picture out of an icon file.
func without(icns []byte, kind string) []byte {
	at := bytes.Index(icns, []byte(kind))
	length := int(icns[at+4])<<24 | int(icns[at+5])<<16 | int(icns[at+6])<<8 | int(icns[at+7])
	rest := append(bytes.Clone(icns[:at]), icns[at+length:]...)
	size := len(rest)
	copy(rest[4:], []byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})
	return rest
}

func TestAPictureOfAnotherSizeIsRefused(t *testing.T) {
	_, err := icon("../../../assets/icons/vivarium.png")
	require.ErrorContains(t, err, "256 × 256 pixels, not 1024 × 1024")
	_, err = icon("icon_test.go")
	require.ErrorContains(t, err, "icon_test.go")
	_, err = icon("none")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The picture is checked in; this is what tells that its source was changed and it was not drawn again.
func TestThePictureIsDrawnFromItsSource(t *testing.T) {
	rsvg, err := exec.LookPath("rsvg-convert")
	if err != nil {
		t.Skip("rsvg-convert is not installed: packaging/mac/Vivarium.png was not compared with assets/icons/vivarium.svg")
	}
	drawn, err := exec.Command(rsvg, "--width", "1024", "--height", "1024", "../../../assets/icons/vivarium.svg").Output()
	require.NoError(t, err)
	want, err := png.Decode(bytes.NewReader(drawn))
	require.NoError(t, err)
	f, err := os.Open("../Vivarium.png")
	require.NoError(t, err)
	defer f.Close()
	got, err := png.Decode(f)
	require.NoError(t, err)
	require.Less(t, distance(want, got), 0.01,
		"draw it again: rsvg-convert --width 1024 --height 1024 assets/icons/vivarium.svg --output packaging/mac/Vivarium.png")
}

// distance is how far two pictures are from one another, on average: 0 the same, 1 as far as can be.
func distance(a, b image.Image) float64 {
	if a.Bounds() != b.Bounds() {
		return 1
	}
	sum, n := 0.0, 0
	for y := 0; y < a.Bounds().Dy(); y += 4 {
		for x := 0; x < a.Bounds().Dx(); x += 4 {
			r1, g1, b1, a1 := a.At(x, y).RGBA()
			r2, g2, b2, a2 := b.At(x, y).RGBA()
			for _, d := range []float64{float64(r1) - float64(r2), float64(g1) - float64(g2), float64(b1) - float64(b2), float64(a1) - float64(a2)} {
				sum += max(d, -d) / 0xffff
				n++
			}
		}
	}
	return sum / float64(n)
}
