// Package picture has what the programs that take the pictures of the README have in common.
package picture

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

// Main runs a program of this name. It writes the posts, the oldest first, into a new microblog and has take visit it by a new
// browser. What take returns goes into the file that the flag -o names.
func Main(name, file string, posts []site.Draft, take func(browser *chrome.Browser, url string) ([]byte, error)) {
	out := flag.String("o", file, "file to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := site.Browse(ctx, func(ctx context.Context, microblog *site.Site, browser *chrome.Browser) error {
		for _, draft := range posts {
			if _, err := microblog.Write(ctx, draft); err != nil {
				return err
			}
		}
		picture, err := take(browser, microblog.URL)
		if err != nil {
			return err
		}
		return os.WriteFile(*out, picture, 0o600)
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		stop()
		os.Exit(1)
	}
}
