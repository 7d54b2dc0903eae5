package coding

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/flate"
)

// level is that of the compressor. The standard library's writers with a dictionary corrupt their output at most levels
// (golang/go#80538), and so did this one's from level 7 on before v1.20.
const level = 6

var deflaters = sync.Pool{New: func() any { //nolint:gochecknoglobals // one is 600 KB and is for no router
	w, err := flate.NewWriter(nil, level)
	if err != nil {
		panic(err) // The level is valid.
	}

	return w
}}

// deflate returns the text compressed for a peer that has decoded the dictionary. The blocks are flushed: they end at a byte
// boundary, and the peer can decode all of the text from them.
func deflate(text, dictionary []byte) []byte {
	w, _ := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var out bytes.Buffer
	w.ResetDict(&out, dictionary)
	_, _ = w.Write(text) // A buffer does not fail.
	_ = w.Flush()
	w.Reset(nil)

	return bytes.Clone(out.Bytes())
}
