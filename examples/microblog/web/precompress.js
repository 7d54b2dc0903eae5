// Writes beside each text file of build/ what gzip and Brotli make of it, so that the server compresses nothing.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const text = /\.(css|html|js|json|svg|txt)$/

for (const file of readdirSync('build', { recursive: true, withFileTypes: true })) {
  if (!file.isFile() || !text.test(file.name)) continue
  const name = `${file.parentPath}/${file.name}`
  const content = readFileSync(name)
  const options = { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }
  for (const [ending, compressed] of [
    ['.br', brotliCompressSync(content, options)],
    ['.gz', gzipSync(content, { level: 9 })],
  ]) {
    if (compressed.length < content.length) writeFileSync(name + ending, compressed)
  }
}
