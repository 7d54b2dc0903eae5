package main

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"

	"github.com/feedmill/feedmill/integration/internal/chrome"
)

// Sizes in pixels of the windows and of the picture.
const (
	writerWidth   = 1000
	readerWidth   = 540
	windowHeight  = 872
	pictureWidth  = 1600
	pictureHeight = 942
)

//go:embed frame.html
var frameHTML string

// frame draws the pictures of two windows side by side on a desktop.
func frame(browser *chrome.Browser, left, right []byte) ([]byte, error) {
	page, err := template.New("frame").Parse(frameHTML)
	if err != nil {
		return nil, fmt.Errorf("parse the frame: %w", err)
	}
	var html strings.Builder
	if err := page.Execute(&html, map[string]template.URL{"Left": source(left), "Right": source(right)}); err != nil {
		return nil, fmt.Errorf("fill the frame: %w", err)
	}
	address := "data:text/html;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(html.String()))
	window, err := browser.Open(address, pictureWidth, pictureHeight)
	if err != nil {
		return nil, err
	}
	if err := window.Await("[...document.images].every((image) => image.complete && image.naturalWidth > 0)"); err != nil {
		return nil, err
	}
	return window.Screenshot()
}

func source(png []byte) template.URL {
	//nolint:gosec // the screenshot is trusted
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
}
