//go:build linux

package contestant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// CentrifugoVersion is the version that is built where no centrifugo is in the PATH.
const CentrifugoVersion = "v6.9.1"

// centrifugo is Centrifugo, a program of its own, with its unidirectional SSE. What the feed does not need is off. The
// channel keeps its newest publication and sends it to new clients (recovery in cache mode), because they need the state.
// With deltas it sends differences, in Fossil's format, which its documentation offers to clients of its own protocol.
type centrifugo struct {
	http.Handler
	address string
	pid     int
	feed    *Feed
}

// centrifugoPath is a unidirectional connection that subscribes to the channel "go" with these options.
func centrifugoPath(options string) string {
	return "/connection/uni_sse?cf_connect=" + url.QueryEscape(`{"subs":{"go":`+options+`}}`)
}

// starting limits how long Centrifugo may take until it accepts a publication.
const starting = 20 * time.Second

func newCentrifugo(ctx context.Context, feed *Feed, program string, delta bool) (Contestant, error) {
	if program == "" {
		return nil, errors.New("start Centrifugo: no program")
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, program)
	command.Dir = "/" // It would read a config.json of its folder.
	command.Env = append(os.Environ(), centrifugoSettings(address, delta)...)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // This process ends without notice.
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start Centrifugo: %w", err)
	}
	c := &centrifugo{Handler: http.NotFoundHandler(), address: address.String(), pid: command.Process.Pid, feed: feed}

	return c, c.awaitReady(ctx)
}

func centrifugoSettings(address *net.TCPAddr, delta bool) []string {
	settings := []string{
		"CENTRIFUGO_HTTP_SERVER_ADDRESS=" + address.IP.String(),
		"CENTRIFUGO_HTTP_SERVER_PORT=" + strconv.Itoa(address.Port),
		"CENTRIFUGO_LOG_LEVEL=error",
		"CENTRIFUGO_UNI_SSE_ENABLED=true",
		"CENTRIFUGO_WEBSOCKET_DISABLED=true",
		"CENTRIFUGO_CLIENT_INSECURE=true",
		"CENTRIFUGO_HTTP_API_INSECURE=true",
		"CENTRIFUGO_DEBUG_ENABLED=true", // serves the figures of its memory
		"CENTRIFUGO_USAGE_STATS_DISABLED=true",
		"CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_HISTORY_SIZE=1",
		"CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_HISTORY_TTL=24h",
		"CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_FORCE_RECOVERY=true",
		"CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_FORCE_RECOVERY_MODE=cache",
		"CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_AUTO_CACHE_RECOVER=true",
	}
	if delta {
		settings = append(settings,
			"CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_ALLOWED_DELTA_TYPES=fossil",
			"CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_DELTA_PUBLISH=true")
	}

	return settings
}

// freeAddress returns an address that nothing listens on.
func freeAddress(ctx context.Context) (*net.TCPAddr, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fmt.Errorf("find a free port: %T is no *net.TCPAddr", listener.Addr()), listener.Close())
	}

	return address, listener.Close()
}

// awaitReady publishes the first state as soon as that works.
func (c *centrifugo) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, starting)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := c.announce(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("start Centrifugo: %w", err)
		}
	}
}

// Announce publishes the state by the HTTP API.
func (c *centrifugo) Announce() error { return c.announce(context.Background()) }

func (c *centrifugo) announce(ctx context.Context) error {
	n, encoded, err := c.feed.loadJSON(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"channel": "go", "data": json.RawMessage(encoded)})
	if err != nil {
		return fmt.Errorf("encode publication: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.address+"/api/publish", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("publish state %d: %w", n, err)
	}
	var reply struct {
		Error json.RawMessage `json:"error"`
	}
	response, err := ask(request)
	if err == nil {
		err = json.Unmarshal(response, &reply)
	}
	if err == nil && reply.Error != nil {
		err = fmt.Errorf("refused: %s", reply.Error)
	}
	if err != nil {
		return fmt.Errorf("publish state %d: %w", n, err)
	}

	return nil
}

func ask(request *http.Request) (body []byte, err error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s of %s", response.Status, request.URL.Path)
	}

	return io.ReadAll(response.Body)
}

// EventID returns none: a unidirectional stream has no IDs.
func (*centrifugo) EventID(int64) string { return "" }

// Address returns the address of its HTTP server.
func (c *centrifugo) Address() string { return c.address }

// PID returns the number of its process.
func (c *centrifugo) PID() int { return c.pid }

// collections is the number of garbage collections that settle a process. Each shrinks large stacks by half.
const collections = 6

// inUse finds what Go's heap profile says of the heap and the stacks.
var inUse = regexp.MustCompile(`(?m)^# (HeapAlloc|Stack) = (\d+)`)

// Memory asks Centrifugo's debugging endpoint, which collects the garbage before it makes a profile.
func (c *centrifugo) Memory() (heap, stacks int64, err error) {
	var profile []byte
	for range collections {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
			"http://"+c.address+"/debug/pprof/heap?debug=1&gc=1", http.NoBody)
		if err == nil {
			profile, err = ask(request)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("read memory of Centrifugo: %w", err)
		}
	}
	values := map[string]int64{}
	for _, match := range inUse.FindAllSubmatch(profile, -1) {
		values[string(match[1])], _ = strconv.ParseInt(string(match[2]), 10, 64) // They are digits.
	}

	return values["HeapAlloc"], values["Stack"], nil
}
