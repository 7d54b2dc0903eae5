// A reverse proxy with or without compression: node proxy.mjs TARGET [compressed]. It prints its port when it listens, and ends with
// its standard input.
import { createServer } from 'node:http'
import compression from 'compression'
import { createProxyMiddleware } from 'http-proxy-middleware'

const [target, compressed] = process.argv.slice(2)
const proxy = createProxyMiddleware({ target })
const compress = compressed ? compression() : (_request, _response, next) => next()
const server = createServer((request, response) => compress(request, response, () => proxy(request, response)))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => process.exit()).resume()
