package assets

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// bars are menu bars as macOS draws them: it fills a template's alpha with black on a light bar and with white on a dark one, and the
// bar takes on the colour of the picture behind it. An open menu's icon is white on the accent colour.
var bars = []struct {
	name     string
	bar, ink color.NRGBA
}{
	{"light", color.NRGBA{246, 246, 246, 255}, color.NRGBA{0, 0, 0, 217}},
	{"dark", color.NRGBA{40, 40, 42, 255}, color.NRGBA{255, 255, 255, 217}},
	{"tinted, light", color.NRGBA{188, 214, 236, 255}, color.NRGBA{0, 0, 0, 217}},
	{"tinted, dark", color.NRGBA{78, 36, 92, 255}, color.NRGBA{255, 255, 255, 217}},
	{"menu open", color.NRGBA{0, 99, 225, 255}, color.NRGBA{255, 255, 255, 255}},
}

// menuBarPoints is the size to which systray sets every icon.
const menuBarPoints = 16

// shrunk is a template's alpha at a size, each pixel the mean of what it covers.
func shrunk(img *image.NRGBA, size int) *image.Alpha {
	out := image.NewAlpha(image.Rect(0, 0, size, size))
	from := img.Bounds().Dx()
	const fine = 4 // samples a pixel and direction
	for y := range size {
		for x := range size {
			sum := 0
			for sy := range fine {
				for sx := range fine {
					u, v := (x*fine+sx)*from/(size*fine), (y*fine+sy)*from/(size*fine)
					sum += int(img.NRGBAAt(u, v).A)
				}
			}
			out.SetAlpha(x, y, color.Alpha{uint8(sum / (fine * fine))})
		}
	}
	return out
}

func on(mask *image.Alpha, bar, ink color.NRGBA) *image.NRGBA {
	out := image.NewNRGBA(mask.Bounds())
	draw.Draw(out, out.Bounds(), image.NewUniform(bar), image.Point{}, draw.Src)
	draw.DrawMask(out, out.Bounds(), image.NewUniform(ink), image.Point{}, mask, image.Point{}, draw.Over)
	return out
}

// contrast is WCAG's ratio of two luminances, from 1 to 21.
func contrast(a, b color.NRGBA) float64 {
	light := func(c color.NRGBA) float64 {
		linear := func(v uint8) float64 {
			x := float64(v) / 255
			return x * x // gamma 2 is near enough
		}
		return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B) + 0.05
	}
	x, y := light(a), light(b)
	return max(x, y) / min(x, y)
}

func TestTemplateIconsAreSeenAtSixteenPointsOnEveryMenuBar(t *testing.T) {
	for scale := 1; scale <= 2; scale++ {
		size := menuBarPoints * scale
		for _, name := range Icons {
			mask := shrunk(decode(t, Icon(name, "darwin")), size)
			for _, b := range bars {
				img := on(mask, b.bar, b.ink)
				strong := 0
				for y := range size {
					for x := range size {
						if contrast(img.NRGBAAt(x, y), b.bar) >= 3 { // what WCAG asks of pictures
							strong++
						}
					}
				}
				require.Greater(t, strong, size*size/8, "%s at @%dx on %s is pale", name, scale, b.name)
			}
		}
	}
}

func TestTemplateIconsAreToldApartAtSixteenPixels(t *testing.T) {
	for scale := 1; scale <= 2; scale++ {
		for i, a := range Icons {
			for _, b := range Icons[i+1:] {
				x, y := shrunk(decode(t, Icon(a, "darwin")), menuBarPoints*scale), shrunk(decode(t, Icon(b, "darwin")), menuBarPoints*scale)
				apart, together := 0, 0
				for p := range x.Pix {
					apart += int(max(x.Pix[p], y.Pix[p]) - min(x.Pix[p], y.Pix[p]))
					together += int(max(x.Pix[p], y.Pix[p]))
				}
				require.Greater(t, float64(apart)/float64(together), 0.07, "%s and %s at @%dx", a, b, scale)
			}
		}
	}
}

// The sheet is for eyes: every icon on every bar at @1x and @2x, and below, large. VIVARIUM_PICTURES names its folder.
func TestTheSheetOfMenuBarsIsDrawn(t *testing.T) {
	const gap, large = 8, 4 * menuBarPoints
	cell := image.Pt(2*large+3*gap, 2*menuBarPoints+large+3*gap)
	sheet := image.NewNRGBA(image.Rect(0, 0, cell.X*len(Icons), cell.Y*len(bars)))
	for row, b := range bars {
		for col, name := range Icons {
			corner := image.Pt(col*cell.X, row*cell.Y)
			draw.Draw(sheet, image.Rectangle{Max: cell}.Add(corner), image.NewUniform(b.bar), image.Point{}, draw.Src)
			for scale := 1; scale <= 2; scale++ {
				img := on(shrunk(decode(t, Icon(name, "darwin")), menuBarPoints*scale), b.bar, b.ink)
				at := corner.Add(image.Pt(gap+(scale-1)*(large+gap), gap))
				draw.Draw(sheet, img.Bounds().Add(at), img, image.Point{}, draw.Src)
				at = at.Add(image.Pt(0, 2*menuBarPoints+gap))
				for y := range large {
					for x := range large {
						sheet.Set(at.X+x, at.Y+y, img.At(x*scale/4, y*scale/4))
					}
				}
			}
		}
	}
	require.NotEqual(t, sheet.NRGBAAt(0, 0), sheet.NRGBAAt(0, cell.Y), "each bar has its colour")
	if dir := os.Getenv("VIVARIUM_PICTURES"); dir != "" {
		f, err := os.Create(filepath.Join(dir, "menu-bars.png"))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, sheet))
		require.NoError(t, f.Close())
	}
}
