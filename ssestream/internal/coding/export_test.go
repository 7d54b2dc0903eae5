package coding

const (
	ZstdHead  = zstdHead
	ZstdReset = zstdReset
	ResetText = resetText
)
