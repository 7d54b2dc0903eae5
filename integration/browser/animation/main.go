// Animation takes the moving picture of the README: one window of the microblog writes, another follows, is cut and catches up.
//
//	make web && cd integration && go run ./browser/animation -o ../docs/images/two-windows.gif
package main

import (
	"bytes"
	"fmt"
	"image/gif"

	"github.com/feedmill/feedmill/integration/browser/internal/picture"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

func main() { picture.Main("animation", "two-windows.gif", seeds(), take) }

func take(browser *chrome.Browser, url string) ([]byte, error) {
	film := &film{}
	if err := perform(browser, url+"/two", film); err != nil {
		return nil, err
	}
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, film.encode()); err != nil {
		return nil, fmt.Errorf("encode the animation: %w", err)
	}
	return encoded.Bytes(), nil
}
