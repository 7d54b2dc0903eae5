import { describe, expect, it, vi } from 'vitest'
import { follow, newClient, settle, streamsNow, useFakeServer, wait } from './fixture.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

/** Has a server answer every connection: after the latency with all states, or after a time that a stream takes. */
function serve(latency: number, slow: Record<string, number> = {}): { most: () => number } {
  let most = 0
  class Served extends FakeEventSource {
    constructor(url: string | URL, init?: EventSourceInit) {
      super(url, init)
      most = Math.max(most, FakeEventSource.active.length)
      const id = this.streams.join()
      setTimeout(() => {
        this.accept()
        for (const name of this.streams) {
          setTimeout(() => this.send(name, Date.now(), id), slow[name] ?? 0)
        }
      }, latency)
    }
  }
  vi.stubGlobal('EventSource', Served)
  return { most: () => most }
}

describe('while the streams change all the time', () => {
  it('states come, and the changes are followed', async () => {
    const server = serve(200)
    const client = newClient({ linger: 0 })
    const feeds = follow(client, 'feeds')
    const rows: ReturnType<typeof follow>[] = []
    for (let i = 0; i < 100; i++) {
      rows.push(follow(client, `row${i}`))
      rows.at(-6)?.leave()
      await wait(80)
    }
    expect(feeds.told.length).toBeGreaterThan(3)
    expect(feeds.told).toEqual([...feeds.told].sort())
    expect(FakeEventSource.all.length).toBeLessThan(15)
    expect(server.most()).toBe(1)
    await wait(2_500)
    expect(rows.slice(-5).map(({ told }) => told.length)).toEqual([1, 1, 1, 1, 1])
    expect(streamsNow()).toEqual([['feeds', 'row95', 'row96', 'row97', 'row98', 'row99']])
  })

  it('a burst is a few connections', async () => {
    serve(5)
    const client = newClient()
    for (let i = 0; i < 100; i++) {
      const row = follow(client, `row${i}`)
      await wait(50)
      row.leave()
    }
    expect(FakeEventSource.all.length).toBeLessThan(10)
  })

  it('a slow stream comes', async () => {
    serve(50, { slow: 3_000 })
    const client = newClient({ linger: 0 })
    const slow = follow(client, 'slow')
    for (let i = 0; i < 200 && slow.told.length === 0; i++) {
      const row = follow(client, `row${i}`)
      await wait(80)
      row.leave()
    }
    expect(slow.told).toHaveLength(1)
  })

  it('a slow stream delays the others for a second', async () => {
    serve(50, { slow: 60_000 })
    const client = newClient()
    follow(client, 'slow')
    await settle()
    const quick = follow(client, 'quick')
    await wait(1_100)
    expect(quick.told).toHaveLength(1)
  })
})

describe('a single change', () => {
  it('is followed at once', async () => {
    serve(50)
    const client = newClient()
    follow(client, 'a')
    await wait(50)
    const b = follow(client, 'b')
    await wait(60)
    expect(b.told).toHaveLength(1)
    await wait(1_000)
    const c = follow(client, 'c')
    await wait(60)
    expect(c.told).toHaveLength(1)
  })

  it('waits for the connection under way', async () => {
    const client = newClient()
    follow(client, 'a')
    await settle()
    follow(client, 'b')
    await wait(500)
    expect(streamsNow()).toEqual([['a']])
    FakeEventSource.latest.accept()
    expect(streamsNow()).toEqual([['a']])
    FakeEventSource.latest.send('a', 1, 'a1')
    expect(streamsNow()).toEqual([['a', 'b']])
    expect(FakeEventSource.latest.resumedFrom).toBe('a1')
  })

  it('does not show in the status, unless the server is slow', async () => {
    const client = newClient()
    const statuses: string[] = []
    client.onStatus((status) => statuses.push(status))
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    follow(client, 'b')
    await wait(900)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('b', 1)
    expect(statuses).toEqual(['connecting', 'live'])
    follow(client, 'c')
    await wait(1_100)
    expect(statuses).toEqual(['connecting', 'live', 'connecting'])
  })
})

it('a state that comes after its stream was left is not taken for one that the client has', async () => {
  const client = newClient({ linger: 0 })
  follow(client, 'a')
  const b = follow(client, 'b')
  await settle()
  FakeEventSource.latest.send('a', 1, 'a1')
  b.leave()
  await settle()
  FakeEventSource.latest.send('b', 1, 'a1b1')
  const again = follow(client, 'b')
  await wait(2_000)
  expect(FakeEventSource.latest.resumedFrom).toBeNull()
  FakeEventSource.latest.send('b', 1, 'a1b1')
  expect(again.told).toEqual([1])
})
