// Figures measures the microblog in a headless Chromium, on an otherwise idle machine: the time from a click in one window to a
// painted post in another, the bytes of a new post, the share of a core that a page needs under load, and the first paint.
//
//	make web && cd integration && go run ./browser/figures
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

func main() {
	count := flag.Int("count", 1, "how often to measure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for range *count {
		if err := measure(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "figures:", err)
			stop()
			os.Exit(1)
		}
	}
}

// visit is a microblog with a browser of its own.
type visit struct {
	microblog *site.Site
	browser   *chrome.Browser
	write     func(site.Draft) (api.Post, error)
}

func figures() []func(visit) (string, error) {
	return []func(visit) (string, error){
		clickToPaint, firstPaint, postSize(280), postSize(site.MaxContent), load(280), load(site.MaxContent),
	}
}

// measure prints all figures.
func measure(ctx context.Context) error {
	for _, figure := range figures() { //nolint:contextcheck // the browser lives by the context it was started with
		if err := site.Browse(ctx, func(ctx context.Context, microblog *site.Site, browser *chrome.Browser) error {
			line, err := figure(visit{microblog, browser, func(draft site.Draft) (api.Post, error) { return microblog.Write(ctx, draft) }})
			if err == nil {
				fmt.Fprintln(os.Stdout, line)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
