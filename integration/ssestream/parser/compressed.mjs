// Reads a compressed stream by fetch or by zlib. It prints the content coding, the data of each event as it comes, and how
// the stream has ended.
import { get } from 'node:http'
import { createGunzip } from 'node:zlib'

const [how, url] = process.argv.slice(2)

async function read(body) {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end))
      if (data) console.log(data[1])
    }
  }
}

try {
  if (how === 'fetch') {
    const response = await fetch(url, { headers: { Accept: 'text/event-stream' } })
    console.log(response.headers.get('content-encoding'))
    await read(response.body)
  } else {
    const headers = { Accept: 'text/event-stream', 'Accept-Encoding': 'gzip' }
    const response = await new Promise((resolve, reject) => get(url, { headers }, resolve).on('error', reject))
    console.log(response.headers['content-encoding'])
    await read(response.pipe(createGunzip()))
  }
  console.log('end')
} catch (error) {
  console.log(error.code ?? error.name)
}
process.exit()
