package chrome

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// Metrics returns what Chromium measures of the page, by the names of Performance.getMetrics. Times are in seconds.
func (w *Window) Metrics() (map[string]float64, error) {
	metrics := map[string]float64{}
	return metrics, w.do("read the metrics", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, performance.Enable, performance.EnableParams{}); err != nil {
			return err
		}
		result, err := chromedp.Call(ctx, performance.GetMetrics, cdp.Empty{})
		for _, metric := range result.Metrics {
			metrics[metric.Name] = metric.Value
		}
		return err
	}))
}

// SetOffline has the browser tell the page that the network has gone, or that it is there again. What the page requests is still sent.
func (w *Window) SetOffline(offline bool) error {
	return w.do("tell the page of the network", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{
			Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
		})
		return err
	}))
}

// SlowDown limits the network of the page to a number of bytes a second in each direction and adds milliseconds to each request.
func (w *Window) SlowDown(bytesPerSecond, milliseconds float64) error {
	return w.do("slow down the network", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{
				{Latency: milliseconds, DownloadThroughput: bytesPerSecond, UploadThroughput: bytesPerSecond},
			},
		})
		return err
	}))
}
