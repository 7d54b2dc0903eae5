package coding_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/ssestream/internal/coding"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errStarved = errors.New("decoder wants more than was written")

// wire is what was written and not read yet.
type wire struct{ buf bytes.Buffer }

func (w *wire) Write(p []byte) { w.buf.Write(p) }

func (w *wire) Read(p []byte) (int, error) {
	if w.buf.Len() == 0 {
		return 0, errStarved
	}

	return w.buf.Read(p)
}

// peer decodes what it is sent.
type peer struct {
	coding.Peer

	world   *world
	last    [streams]coding.Last
	has     [streams]*coding.Text
	wire    wire
	decoder io.Reader
}

func newPeer(tb *world, c coding.Coding) *peer {
	tb.Helper()
	p := &peer{world: tb, Peer: coding.Peer{Coding: c}}
	preface := []byte("retry: 1234\n\n")
	p.wire.Write(p.Other(nil, preface))
	switch c {
	case coding.Gzip:
		decoder, err := gzip.NewReader(&p.wire)
		require.NoError(tb, err)
		p.decoder = decoder
	case coding.Zstd:
		decoder, err := zstd.NewReader(&p.wire, zstd.WithDecoderConcurrency(1))
		require.NoError(tb, err)
		p.decoder = decoder
	default:
		p.decoder = &p.wire
	}
	p.reads(tb, preface)

	return p
}

// reads requires that all that was written is read, that it is p, and that nothing has to follow for it.
func (p *peer) reads(tb testing.TB, want ...[]byte) {
	tb.Helper()
	whole := bytes.Join(want, nil)
	got := make([]byte, len(whole))
	n, err := io.ReadFull(p.decoder, got)
	require.NoError(tb, err, "%s: %d of %d bytes", p.Coding, n, len(whole))
	require.True(tb, bytes.Equal(whole, got), "%s: decoded to something else", p.Coding)
}

func (p *peer) other(tb testing.TB, b []byte) {
	tb.Helper()
	p.wire.Write(p.Other(nil, b))
	p.reads(tb, b)
}

// lead is what a text decodes to first.
func (p *peer) lead(t *coding.Text) []byte {
	if p.Coding != coding.Zstd || p.world.texts[stored] == t {
		return nil
	}

	return []byte(":::::::::::::::::\n")
}

// gets sends the peer a text as a stream of its own does.
func (p *peer) gets(tb testing.TB, stream int, t *coding.Text) {
	tb.Helper()
	p.wire.Write(p.Text(t, &p.last[stream]))
	p.reads(tb, p.lead(t), t.Bytes())
	p.has[stream] = t
}

// getsNamed sends the peer a text as one of several streams.
func (p *peer) getsNamed(tb testing.TB, stream int, t *coding.Text) {
	tb.Helper()
	name, id := fmt.Appendf(nil, "event: %d\n", stream), fmt.Appendf(nil, "id: %d\n\n", rand.N(1000))
	out := p.Other(nil, name)
	out = p.AppendText(out, t, &p.last[stream])
	p.wire.Write(p.Other(out, id))
	p.reads(tb, name, p.lead(t), t.Bytes(), id)
	p.has[stream] = t
}

const (
	streams = 4
	stored  = 3 // the stream whose texts are not compressed
)

// world is some peers that follow some streams, of which each has a text.
type world struct {
	testing.TB

	texts [streams]*coding.Text
	peers [24]*peer
	n     int
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{TB: tb}
	for s := range w.texts {
		w.set(s, post(0, 20))
	}
	for i := range w.peers {
		w.join(i, i)
	}

	return w
}

func (w *world) join(i, c int) {
	w.peers[i] = newPeer(w, []coding.Coding{coding.Gzip, coding.Zstd, coding.Identity}[c%3])
}

func (w *world) set(stream int, text string) {
	w.texts[stream] = coding.NewText([]byte(text), stream == stored)
}

// post is text as in a feed.
func post(n, sentences int) string {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	words := strings.Fields("the a of feed mill stream state is was changed post author tag and by then said who ünïcode 世界")
	var b strings.Builder
	fmt.Fprintf(&b, `data: {"id":"%016x","likes":%d,"text":"`, r.Uint64(), r.IntN(1000))
	for range sentences * 8 {
		b.WriteString(words[r.IntN(len(words))] + " ")
	}
	b.WriteString("\"}\n")

	return b.String()
}

// noise is text that can hardly be compressed.
func noise(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteRune(rune(0x4e00 + rand.N(0x5000)))
	}

	return b.String()
}

// change makes another text of a stream.
func (w *world) change(stream, kind int) {
	w.n++
	before := string(w.texts[stream].Bytes())
	switch kind % 10 {
	case 0, 1:
		w.set(stream, post(w.n, 10)+before)
	case 2:
		w.set(stream, before+post(w.n, 10))
	case 3:
		w.set(stream, strings.Replace(before, `"likes":`, fmt.Sprintf(`"likes":%d`, w.n%10), 1))
	case 4:
		w.set(stream, before) // the same, made again
	case 5:
		w.set(stream, before[:len(before)/2])
	case 6:
		w.set(stream, noise(100<<(w.n%8)))
	case 7:
		w.set(stream, strings.Repeat(before, 2)[:min(2*len(before), 80<<10)])
	case 8:
		w.set(stream, strings.Repeat("x", w.n%300))
	case 9: // the offsets that zstd begins with
		w.set(stream, []string{"=", "4444", "88888887"}[w.n%3]+strings.Repeat([]string{"=", "abcd", "abcdefgh"}[w.n%3], 9)+before)
	}
	if size := len(w.texts[stream].Bytes()); size > 200<<10 || size == 0 {
		w.set(stream, post(w.n, 20))
	}
}

// step does what two numbers say.
func (w *world) step(what, how byte) {
	p := w.peers[int(how)%len(w.peers)]
	stream := int(what/16) % streams
	switch what % 16 {
	case 0, 1, 2:
		w.change(stream, int(how))
	case 3:
		p.other(w, []byte(":\n\n"))
	case 4:
		p.other(w, []byte("event: heartbeat\ndata:\n\n"))
	case 5:
		w.join(int(how)%len(w.peers), int(how))
	case 6: // everybody is in step
		for _, p := range w.peers {
			p.gets(w, stream, w.texts[stream])
		}
	case 7:
		p.other(w, []byte(noise(70<<10)))
	default:
		switch {
		case p.has[stream] == w.texts[stream]:
		case what%2 == 0:
			p.gets(w, stream, w.texts[stream])
		default:
			p.getsNamed(w, stream, w.texts[stream])
		}
	}
}

// FuzzPeers has peers join, skip, get heartbeats, follow several streams. Each must decode what it was sent, at once.
func FuzzPeers(f *testing.F) {
	f.Add([]byte("\x06\x00\x00\x00\x06\x00\x01\x03\x06\x00"))             // in step: a new post, a count
	f.Add([]byte("\x06\x00\x00\x00\x03\x01\x08\x01\x08\x02\x03\x02"))     // heartbeats between
	f.Add([]byte("\x06\x00\x00\x07\x00\x07\x06\x00\x00\x03\x06\x00"))     // beyond the window
	f.Add([]byte("\x09\x00\x19\x00\x29\x00\x39\x00\x00\x00\x09\x00"))     // several streams
	f.Add([]byte("\x06\x00\x00\x06\x06\x00\x00\x06\x06\x00\x05\x00\x06")) // incompressible, and who joins
	f.Fuzz(func(t *testing.T, steps []byte) {
		w := newWorld(t)
		for i := 1; i < min(len(steps), 400); i += 2 {
			w.step(steps[i-1], steps[i])
		}
	})
}

// TestPeers is FuzzPeers for long.
func TestPeers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 2))
			w := newWorld(t)
			for range 500 {
				w.step(byte(r.Uint32()), byte(r.Uint32()))
			}
		})
	}
}

// TestDictionariesAreBounded by eight for a text, or by one for 13 of its peers. All others share the block without one.
func TestDictionariesAreBounded(t *testing.T) {
	t.Parallel()
	for expected, most := range map[int]int{0: 8, 50: 8, 13 * 12: 12, 13 * 40: 20} {
		for _, c := range []coding.Coding{coding.Gzip, coding.Zstd} {
			assert.Equal(t, 2*most, withDictionary(t, c, expected), "%s for %d peers", c, expected)
		}
	}
}

// withDictionary returns how many of 40 peers, with 20 distances to the text before, are sent a block with a dictionary.
func withDictionary(t *testing.T, c coding.Coding, expected int) (small int) {
	t.Helper()
	w := &world{TB: t}
	before := coding.NewText([]byte(post(1, 50)), false)
	after := coding.NewText(append([]byte(post(2, 1)), before.Bytes()...), false)
	after.Expect(expected)
	alone := newPeer(w, c).Text(after, &coding.Last{})
	for heartbeats := range 20 {
		for range 2 { // in step
			p := newPeer(w, c)
			p.gets(t, 0, before)
			for range heartbeats {
				p.other(t, []byte(":\n\n"))
			}
			last := p.last[0]
			encoded := p.Text(after, &last)
			if len(encoded) < len(alone)/2 {
				small++
			} else {
				assert.Same(t, &alone[0], &encoded[0])
			}
		}
	}

	return small
}

// TestBeyondTheWindow no dictionary helps.
func TestBeyondTheWindow(t *testing.T) {
	t.Parallel()
	for c, size := range map[coding.Coding]int{coding.Gzip: 32 << 10, coding.Zstd: 1 << 20} {
		w := &world{TB: t}
		for _, text := range []string{strings.Repeat("x", size+1), strings.Repeat("x", size-50)} {
			before, after := coding.NewText([]byte(text), false), coding.NewText([]byte(text), false)
			alone := newPeer(w, c).Text(after, &coding.Last{})
			p := newPeer(w, c)
			p.gets(t, 0, before)
			p.other(t, make([]byte, 100))
			encoded := p.Text(after, &p.last[0])
			assert.Same(t, &alone[0], &encoded[0])
		}
	}
}

// TestWhatAPeerHolds is the bytes of its last text, if they may become a dictionary, and never the text with its encodings.
func TestWhatAPeerHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []coding.Coding{coding.Gzip, coding.Zstd} {
		for size, holds := range map[int]bool{1000: true, c.Window() - 18: true, c.Window() + 1: false} {
			last := &coding.Last{}
			text, first := sentAndForgotten(newPeer(&world{TB: t}, c), last, size)
			runtime.GC()
			textHeld, bytesHeld := text.Value() != nil, first.Value() != nil
			assert.False(t, textHeld, "%s, %d bytes", c, size)
			assert.Equal(t, holds, bytesHeld, "%s, %d bytes", c, size)
			runtime.KeepAlive(last)
		}
	}
}

// sentAndForgotten sends a text, and returns what would lead to it and to its first byte.
func sentAndForgotten(p *peer, last *coding.Last, size int) (weak.Pointer[coding.Text], weak.Pointer[byte]) {
	b := bytes.Repeat([]byte("x"), size)
	text := coding.NewText(b, false)
	p.Text(text, last)

	return weak.Make(text), weak.Make(&b[0])
}

// TestMemoryOfAPeer is all that compression costs a client of one stream.
func TestMemoryOfAPeer(t *testing.T) {
	t.Parallel()
	assert.LessOrEqual(t, unsafe.Sizeof(coding.Peer{})+unsafe.Sizeof(coding.Last{}), uintptr(64))
}
