// The script of the shared worker that holds the connections of all pages.
import { Hub } from './hub.js'

const hub = new Hub()

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (port) void hub.serve(port)
})
