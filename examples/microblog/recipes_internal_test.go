package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream" // for swap-the-broker.patch
	"github.com/alicebob/miniredis/v2"
	_ "github.com/redis/go-redis/v9" // for swap-the-broker.patch
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

const recipePatience = time.Minute

// TestRecipeAddAField: new posts have a mood, which edits keep, and old posts have none.
func TestRecipeAddAField(t *testing.T) {
	t.Parallel()
	binary, dir := cook(t, "add-a-field"), t.TempDir()
	old := writeBefore(t, dir)
	blog := start(t, binary, "-data-dir", dir)
	require.NotContains(t, blog.get(t, "/api/posts/"+old), "mood")
	id := blog.post(t, `{"content":"With a mood #go","author":"Ada","mood":" glad "}`)
	require.Contains(t, blog.get(t, "/api/posts/"+id), `"mood":"glad"`)
	blog.send(t, http.MethodPatch, "/api/posts/"+id, `{"content":"Edited #go"}`, http.StatusOK)
	require.Contains(t, blog.get(t, "/api/posts/"+id), `"mood":"glad"`)
	blog.awaitFeed(t, "go", "Edited #go", "Before the recipe #go")
	refused := blog.send(t, http.MethodPost, "/api/posts", `{"content":"x","author":"Ada","mood":"`+strings.Repeat("x", 31)+`"}`, http.StatusUnprocessableEntity)
	require.Contains(t, refused, `"field":"mood"`)
}

// TestRecipeAddAFeedKind: posts are in the feed of their author, and old ones after a rebuild. A page follows it by its link.
func TestRecipeAddAFeedKind(t *testing.T) {
	t.Parallel()
	binary, dir := cook(t, "add-a-feed-kind"), t.TempDir()
	writeBefore(t, dir)
	require.Contains(t, command(t, binary, "rebuild", "-data-dir", dir), "rebuilt")
	blog := start(t, binary, "-data-dir", dir)
	stream, err := ssestreamtest.Connect(t.Context(), blog.client, blog.url+"/api/streams?stream=feed:@Ada%20Lovelace")
	require.NoError(t, err)
	defer func() { require.NoError(t, stream.Close()) }()
	blog.post(t, `{"content":"By the same","author":"ADA LOVELACE"}`)
	blog.post(t, `{"content":"By another","author":"Grace"}`)
	awaitState(t, stream, "By the same")
	blog.awaitFeed(t, "@ada lovelace", "By the same", "Before the recipe #go")
	var list api.FeedList
	require.NoError(t, json.Unmarshal([]byte(blog.get(t, "/api/feeds")), &list))
	require.False(t, slices.ContainsFunc(list.Feeds, func(f api.FeedSummary) bool { return strings.HasPrefix(f.Name, "@") }), "tags alone")
}

// TestRecipeSwapAStore: the feeds move to a database of their own, and a rebuild fills it with the posts that are there.
func TestRecipeSwapAStore(t *testing.T) {
	t.Parallel()
	binary, dir := cook(t, "swap-a-store"), t.TempDir()
	writeBefore(t, dir)
	require.NoFileExists(t, filepath.Join(dir, "feeds.db"))
	require.Contains(t, command(t, binary, "rebuild", "-data-dir", dir), "rebuilt")
	require.Contains(t, command(t, binary, "audit", "-data-dir", dir), "0 drifts")
	blog := start(t, binary, "-data-dir", dir)
	blog.post(t, `{"content":"In the new store #go","author":"Ada"}`)
	blog.awaitFeed(t, "go", "In the new store #go", "Before the recipe #go")
	require.FileExists(t, filepath.Join(dir, "feeds.db"))
}

// TestRecipeSwapTheBroker: the events go through Redis.
func TestRecipeSwapTheBroker(t *testing.T) {
	t.Parallel()
	binary, redis := cook(t, "swap-the-broker"), miniredis.RunT(t)
	blog := start(t, binary, "-data-dir", t.TempDir(), "-redis-url", "redis://"+redis.Addr())
	stream, err := ssestreamtest.Connect(t.Context(), blog.client, blog.url+"/api/streams?stream=feed:redis")
	require.NoError(t, err)
	defer func() { require.NoError(t, stream.Close()) }()
	blog.post(t, `{"content":"By another broker #redis","author":"Ada"}`)
	awaitState(t, stream, "By another broker")
	require.Subset(t, redis.Keys(), []string{"post-created", "post-feed-updated"}, "streams of Redis")
}

// TestRecipePages: what the recipes change of the pages passes the type check. make test-web runs it, which installs the
// packages that it needs.
func TestRecipePages(t *testing.T) {
	t.Parallel()
	packages, err := filepath.Abs(filepath.Join("web", "node_modules"))
	require.NoError(t, err)
	require.DirExists(t, packages, "the type check needs the packages of the pages: run make test-web, or skip this test")
	patches, err := filepath.Glob(filepath.Join("recipes", "*.patch"))
	require.NoError(t, err)
	for _, patch := range patches {
		changes, err := os.ReadFile(patch)
		require.NoError(t, err)
		if !strings.Contains(string(changes), "+++ b/examples/microblog/web/") {
			continue
		}
		recipe := strings.TrimSuffix(filepath.Base(patch), ".patch")
		t.Run(recipe, func(t *testing.T) {
			t.Parallel()
			k := prepare(t, recipe)
			pages := filepath.Join(k.module, "web")
			require.NoError(t, os.Symlink(packages, filepath.Join(pages, "node_modules")))
			k.run(t, "has pages that do not compile any more", pages, filepath.Join(packages, ".bin", "vue-tsc"), "--noEmit")
		})
	}
}

// cook returns the program of a recipe.
func cook(t *testing.T, recipe string) (binary string) {
	t.Helper()
	k := prepare(t, recipe)
	k.run(t, "has no module", k.module, "go", "mod", "edit", "-replace", "github.com/feedmill/feedmill="+k.root)
	build := []string{"go", "build", "-ldflags=-s -w", "-o", "cooked"}
	if isRace() { // its dependencies are compiled already
		build = append(build, "-race")
	}
	k.run(t, "does not compile any more", k.module, build...)
	return filepath.Join(k.module, "cooked")
}

// kitchen has a copy of the microblog that a recipe is applied to.
type kitchen struct {
	patch  string
	root   string // of the repository that is not changed
	folder string
	module string
}

// prepare applies a recipe to a copy of the microblog.
func prepare(t *testing.T, recipe string) kitchen {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	folder := t.TempDir()
	k := kitchen{
		patch:  filepath.Join("examples", "microblog", "recipes", recipe+".patch"),
		root:   root,
		folder: folder,
		module: filepath.Join(folder, "examples", "microblog"),
	}
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"node_modules", "data", "recipes"}, entry.Name()):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(k.module, path), 0o750)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(k.module, path), content, 0o600)
	}))
	k.run(t, "does not apply any more", k.folder, "git", "apply", "--whitespace=nowarn", filepath.Join(root, k.patch))
	return k
}

// run runs a command in a folder. why is what is wrong with the recipe if it fails.
func (k kitchen) run(t *testing.T, why, folder string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(k.folder), "GOWORK=off")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, `%[1]s %[2]s:
%[3]s
To renew it, at the root of a clean repository:
    git apply --3way %[1]s         # then mend what is in conflict, and try it
    git add -N examples && git diff HEAD -- examples ':!*.patch' > %[1]s
    git restore --staged --worktree examples ':!*.patch'          # and remove the files that the recipe has added`, k.patch, why, output)
}

func isRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// writeBefore has the microblog as it is write the first post of a folder, and returns its ID.
func writeBefore(t *testing.T, dir string) (id string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	stopped := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-data-dir", dir}, environment(nil), writer, io.Discard)
		stopped <- writer.CloseWithError(err)
	}()
	blog := readURL(t, reader)
	id = blog.post(t, `{"content":"Before the recipe #go","author":"Ada Lovelace"}`)
	blog.awaitFeed(t, "go", "Before the recipe #go")
	stop()
	require.NoError(t, <-stopped)
	return id
}

// blog is a microblog that serves.
type blog struct {
	url    string
	client *http.Client
}

// start serves until the test ends.
func start(t *testing.T, binary string, args ...string) blog {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"-addr", "127.0.0.1:0", "-log-level", "warn"}, args...)...) // not killed with the context, but interrupted below
	cmd.Stderr = t.Output()
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait())
	})
	return readURL(t, output)
}

// readURL reads where a microblog serves.
func readURL(t *testing.T, output io.Reader) blog {
	t.Helper()
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "Open "); ok {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return blog{url, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
		}
	}
	require.FailNow(t, "it does not serve")
	return blog{}
}

// command runs a command of a microblog to its end, and returns what it found.
func command(t *testing.T, binary string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

func (b blog) send(t *testing.T, method, path, body string, status int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := b.client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, status, response.StatusCode, "%s %s: %s", method, path, text)
	return string(text)
}

func (b blog) get(t *testing.T, path string) string {
	t.Helper()
	return b.send(t, http.MethodGet, path, "", http.StatusOK)
}

// post sends a post and returns its ID.
func (b blog) post(t *testing.T, body string) (id string) {
	t.Helper()
	found := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(b.send(t, http.MethodPost, "/api/posts", body, http.StatusCreated))
	require.NotNil(t, found)
	return found[1]
}

// awaitState waits until a stream sends a state with a text.
func awaitState(t *testing.T, stream *ssestreamtest.Stream, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recipePatience)
	defer cancel()
	for data := ""; !strings.Contains(data, text); {
		event, err := stream.Next(ctx)
		require.NoError(t, err)
		data = event.Data
	}
}

// awaitFeed waits until a feed has these contents, the newest first.
func (b blog) awaitFeed(t *testing.T, feed string, contents ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var page api.FeedPage
		assert.NoError(c, json.Unmarshal([]byte(b.get(t, "/api/feeds/"+url.PathEscape(feed))), &page))
		var found []string
		for _, p := range page.Posts {
			found = append(found, p.Content)
		}
		assert.Equal(c, contents, found)
	}, recipePatience, 20*time.Millisecond)
}
