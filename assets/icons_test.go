package assets

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var sets = map[string]string{"template": "darwin", "colour": "linux"}

func decode(t *testing.T, data []byte) *image.NRGBA {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	flat := image.NewNRGBA(img.Bounds())
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			flat.Set(x, y, color.NRGBAModel.Convert(img.At(x, y)))
		}
	}
	return flat
}

func TestEveryIconIsA48PixelSquare(t *testing.T) {
	for set, goos := range sets {
		for _, name := range Icons {
			img := decode(t, Icon(name, goos))
			require.Equal(t, image.Rect(0, 0, 48, 48), img.Bounds(), "%s/%s", set, name)
			solid := 0
			for i := 3; i < len(img.Pix); i += 4 {
				if img.Pix[i] > 200 {
					solid++
				}
			}
			require.Greater(t, solid, 200, "%s/%s is all but empty", set, name)
			for _, corner := range []image.Point{{0, 0}, {47, 0}} {
				require.Zero(t, img.NRGBAAt(corner.X, corner.Y).A, "%s/%s has a ground", set, name)
			}
		}
	}
	require.Equal(t, image.Rect(0, 0, 256, 256), decode(t, AppIcon()).Bounds())
}

func TestTemplateIconsAreBlackAndAlphaAlone(t *testing.T) {
	for _, name := range Icons {
		img := decode(t, Icon(name, "darwin"))
		for i := 0; i < len(img.Pix); i += 4 {
			if img.Pix[i+3] > 0 {
				require.Equal(t, []byte{0, 0, 0}, img.Pix[i:i+3], name)
			}
		}
	}
}

// The states are told apart by shape: of what two icons cover together, at least this share is covered by only one of them.
func TestIconsDifferInShapeAndNotOnlyInColour(t *testing.T) {
	const least = 0.07
	for _, goos := range sets {
		for i, a := range Icons {
			for _, b := range Icons[i+1:] {
				require.Greater(t, difference(decode(t, Icon(a, goos)), decode(t, Icon(b, goos))), least, "%s and %s", a, b)
			}
		}
	}
}

func difference(a, b *image.NRGBA) float64 {
	var apart, together float64
	for i := 3; i < len(a.Pix); i += 4 {
		x, y := float64(a.Pix[i]), float64(b.Pix[i])
		apart += max(x, y) - min(x, y)
		together += max(x, y)
	}
	return apart / together
}

func TestColouredIconsStandOutFromLightAndDarkPanels(t *testing.T) {
	for _, name := range Icons {
		img := decode(t, Icon(name, "linux"))
		for i := 0; i < len(img.Pix); i += 4 {
			if img.Pix[i+3] < 255 {
				continue
			}
			light := 0.2126*float64(img.Pix[i]) + 0.7152*float64(img.Pix[i+1]) + 0.0722*float64(img.Pix[i+2])
			require.InDelta(t, 135, light, 60, "%s: a tone near white or black", name)
		}
	}
}

func TestAnUnknownIconIsAnAlarmAndNeverEmpty(t *testing.T) {
	require.Equal(t, Icon("crashed", "linux"), Icon("nonsense", "linux"))
	require.Equal(t, Icon("crashed", "darwin"), Icon("", "darwin"))
}

func TestTheEmbeddedIconsAreTheSourcesRendered(t *testing.T) {
	if _, err := exec.LookPath("rsvg-convert"); err != nil {
		t.Skip("rsvg-convert is not on this machine (Debian: librsvg2-bin): the icons cannot be compared with their sources")
	}
	dir := t.TempDir()
	out, err := exec.Command("sh", "icons/render.sh", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	for set, goos := range sets {
		for _, name := range Icons {
			fresh, err := os.ReadFile(filepath.Join(dir, set, name+".png"))
			require.NoError(t, err)
			requireAlike(t, decode(t, fresh), decode(t, Icon(name, goos)), set+"/"+name)
		}
	}
	fresh, err := os.ReadFile(filepath.Join(dir, "vivarium.png"))
	require.NoError(t, err)
	requireAlike(t, decode(t, fresh), decode(t, AppIcon()), "vivarium")
}

// Another version of the renderer smooths edges a little differently, so a few shades are let pass.
func requireAlike(t *testing.T, a, b *image.NRGBA, name string) {
	t.Helper()
	require.Equal(t, a.Bounds(), b.Bounds(), name)
	var apart float64
	for i := 3; i < len(a.Pix); i += 4 {
		for c := range 4 { // weighed by alpha: what cannot be seen has no colour
			x, y := float64(a.Pix[i-c])*float64(a.Pix[i]), float64(b.Pix[i-c])*float64(b.Pix[i])
			apart += max(x, y) - min(x, y)
		}
	}
	require.Less(t, apart/float64(len(a.Pix))/255, 1.0, "%s differs from its source: run go generate ./assets", name)
}
