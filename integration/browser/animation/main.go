// Animation takes the moving picture of the README: one window of the microblog writes, another follows, is cut and catches up.
//
//	make web && cd integration && go run ./browser/animation -o ../docs/images/two-windows.gif
package main

import (
	"context"
	"flag"
	"fmt"
	"image/gif"
	"os"
	"os/signal"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

func main() {
	out := flag.String("o", "two-windows.gif", "GIF file to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "animation:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	return site.Browse(ctx, func(ctx context.Context, microblog *site.Site, browser *chrome.Browser) error {
		for _, draft := range seeds() {
			if _, err := microblog.Write(ctx, draft); err != nil {
				return err
			}
		}
		film := &film{}
		//nolint:contextcheck // the browser lives by the context it was started with
		if err := perform(browser, microblog.URL+"/two", film); err != nil {
			return err
		}
		file, err := os.Create(out) //nolint:gosec // the user names the file
		if err != nil {
			return err
		}
		if err := gif.EncodeAll(file, film.encode()); err != nil {
			_ = file.Close() // the first error counts
			return fmt.Errorf("write the animation: %w", err)
		}
		return file.Close()
	})
}
