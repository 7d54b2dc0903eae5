//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// line is a line of the picture, with the contestant that it shows.
type line struct {
	label, colour, contestant string
	points                    []point
}

type point struct {
	posts int
	bytes float64
}

// The picture's sizes, in pixels.
const (
	width, height = 720, 400
	left, right   = 70, 60
	top, bottom   = 50, 50
)

// The ends of the logarithmic axis of bytes.
const lowest, highest = 100.0, 200_000.0

func x(posts int) float64 { return left + float64(posts)/longest*(width-left-right) }

func y(bytes float64) float64 {
	return height - bottom - math.Log(bytes/lowest)/math.Log(highest/lowest)*(height-top-bottom)
}

// draw returns the picture as SVG. Its background is white, so that it can be read on pages of any colour.
func draw(lines []line) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#1f2328">`+"\n",
		width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	text(&b, left, 28, "start", "Bytes that a client is sent when a post is added, by the posts on the page")
	for _, tick := range []struct {
		bytes float64
		label string
	}{{100, "100"}, {1_000, "1,000"}, {10_000, "10,000"}, {100_000, "100,000"}} {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#d0d7de"/>`+"\n", left, y(tick.bytes), width-right)
		text(&b, left-8, y(tick.bytes)+4, "end", tick.label)
	}
	for posts := 0; posts <= longest; posts += 50 {
		text(&b, x(posts), height-bottom+20, "middle", strconv.Itoa(posts))
	}
	text(&b, x(longest/2), height-10, "middle", "posts of 540 bytes")
	for _, l := range lines {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, l.colour)
		for _, p := range l.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p.posts), y(p.bytes))
		}
		b.WriteString("\"/>\n")
		last := l.points[len(l.points)-1]
		fmt.Fprintf(&b, `<g fill="%s">`, l.colour)
		text(&b, x(last.posts)+8, y(last.bytes)+4, "start", l.label)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")

	return b.Bytes()
}

func text(b *bytes.Buffer, x, y float64, anchor, content string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, content)
}
