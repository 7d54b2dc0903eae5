package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"maps"
	"slices"
)

// film collects pictures of the same size.
type film struct {
	pictures []*image.NRGBA
	delays   []int // hundredths of a second that each picture is shown
}

// add appends a PNG. A picture that is the same as the last one prolongs it.
func (f *film) add(encoded []byte, delay int) error {
	decoded, err := png.Decode(bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("read a picture: %w", err)
	}
	picture := image.NewNRGBA(decoded.Bounds())
	for y := picture.Rect.Min.Y; y < picture.Rect.Max.Y; y++ {
		for x := picture.Rect.Min.X; x < picture.Rect.Max.X; x++ {
			picture.Set(x, y, decoded.At(x, y))
		}
	}
	if last := len(f.pictures) - 1; last >= 0 && bytes.Equal(picture.Pix, f.pictures[last].Pix) {
		f.delays[last] += delay
		return nil
	}
	f.pictures, f.delays = append(f.pictures, picture), append(f.delays, delay)
	return nil
}

// encode returns the film as a GIF that repeats for ever. Each image has only what has changed.
func (f *film) encode() *gif.GIF {
	colors := f.palette()
	indexes := map[color.NRGBA]uint8{}
	index := func(c color.NRGBA) uint8 {
		known, ok := indexes[c]
		if !ok {
			known = uint8(1 + colors[1:].Index(c)) //nolint:gosec // a palette has at most 256 colours
			indexes[c] = known
		}
		return known
	}
	animation := &gif.GIF{Delay: f.delays, Config: image.Config{ColorModel: colors}}
	var last *image.NRGBA
	for _, picture := range f.pictures {
		changed := image.NewPaletted(change(last, picture), colors)
		for y := changed.Rect.Min.Y; y < changed.Rect.Max.Y; y++ {
			for x := changed.Rect.Min.X; x < changed.Rect.Max.X; x++ {
				if c := picture.NRGBAAt(x, y); last == nil || c != last.NRGBAAt(x, y) {
					changed.SetColorIndex(x, y, index(c))
				}
			}
		}
		animation.Image = append(animation.Image, changed)
		animation.Disposal = append(animation.Disposal, gif.DisposalNone)
		last = picture
	}
	size := f.pictures[0].Rect.Size()
	animation.Config.Width, animation.Config.Height = size.X, size.Y
	return animation
}

// change returns the rectangle outside of which two pictures are the same.
func change(last, picture *image.NRGBA) image.Rectangle {
	if last == nil {
		return picture.Rect
	}
	var changed image.Rectangle
	for y := picture.Rect.Min.Y; y < picture.Rect.Max.Y; y++ {
		for x := picture.Rect.Min.X; x < picture.Rect.Max.X; x++ {
			if picture.NRGBAAt(x, y) != last.NRGBAAt(x, y) {
				changed = changed.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return changed
}

// palette returns transparent and the most frequent colours, of each shade the most frequent one: pages have few colours, and
// between them the edges of letters.
func (f *film) palette() color.Palette {
	const most = 255
	counts := map[color.NRGBA]int{}
	for _, picture := range f.pictures {
		for i := 0; i < len(picture.Pix); i += 4 {
			counts[color.NRGBA{picture.Pix[i], picture.Pix[i+1], picture.Pix[i+2], 0xff}]++
		}
	}
	type shade struct {
		of    color.NRGBA
		count int
	}
	shades := map[color.NRGBA]shade{}
	for c, count := range counts {
		const bits = 0xf8
		like := color.NRGBA{c.R & bits, c.G & bits, c.B & bits, 0xff}
		s := shades[like]
		if s.count == 0 || count > counts[s.of] {
			s.of = c
		}
		s.count += count
		shades[like] = s
	}
	frequent := slices.SortedFunc(maps.Values(shades), func(a, b shade) int { return b.count - a.count })
	colors := color.Palette{color.NRGBA{}}
	for _, s := range frequent[:min(most, len(frequent))] {
		colors = append(colors, s.of)
	}
	return colors
}
