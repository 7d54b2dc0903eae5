import { describe, expect, it } from 'vitest'
import { follow, linger, newClient, settle, streamsNow, useFakeServer, wait } from './fixture.js'
import { StreamClient } from '../src/client.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

const names = (count: number, from = 1) => Array.from({ length: count }, (_, i) => `s${from + i}`)

describe('subscriptions that change within one turn', () => {
  it('open one connection', async () => {
    const client = newClient()
    follow(client, 'a')
    await Promise.resolve()
    follow(client, 'b')
    expect(FakeEventSource.all).toHaveLength(0)
    await settle()
    expect(FakeEventSource.all.map((source) => source.url)).toEqual(['/api/streams?stream=a&stream=b'])
  })

  it('reconnect once, and not at all if nothing changes', async () => {
    const client = newClient({ linger: 0 })
    follow(client, 'feeds')
    const a = follow(client, 'a')
    await settle()
    follow(client, 'b')
    a.leave()
    await settle()
    expect(FakeEventSource.all).toHaveLength(2)
    expect(streamsNow()).toEqual([['feeds', 'b']])
    follow(client, 'c').leave()
    await settle()
    expect(FakeEventSource.all).toHaveLength(2)
  })

  it('open no connection if all are left again', async () => {
    const client = newClient({ linger: 0 })
    follow(client, 'a').leave()
    await settle()
    expect(FakeEventSource.all).toHaveLength(0)
    expect(client.status).toBe('idle')
  })
})

describe('a changed set of streams', () => {
  it('resumes from the newest event and shows the last states at once', async () => {
    const client = newClient()
    const a = follow(client, 'a')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBeNull()
    FakeEventSource.latest.send('a', 1, 'a1')
    FakeEventSource.latest.send('a', 2, 'a2&')
    follow(client, 'b')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBe('a2&')
    expect(follow(client, 'a').told).toEqual([2])
    // Nothing came since, so the id is the same.
    follow(client, 'c')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBe('a2&')
    FakeEventSource.latest.send('c', 3, 'a2c3')
    follow(client, 'd')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBe('a2c3')
    expect(a.told).toEqual([1, 2])
  })

  it('keeps the query of the address', async () => {
    const client = new StreamClient(new URL('http://other.test/s?tenant=1'), { withCredentials: true })
    const a = follow(client, 'a')
    await settle()
    expect(FakeEventSource.latest.url).toBe('http://other.test/s?tenant=1&stream=a')
    expect(FakeEventSource.latest.withCredentials).toBe(true)
    a.leave()
    client.close()
  })
})

describe('the last event id', () => {
  it('is not used for a stream whose state was discarded', async () => {
    const client = newClient({ linger: 0 })
    follow(client, 'b')
    const a = follow(client, 'a')
    await settle()
    FakeEventSource.latest.send('b', 1, 'b1')
    FakeEventSource.latest.send('a', 1, 'b1a1')
    a.leave()
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBe('b1a1')
    follow(client, 'a')
    await settle()
    expect(FakeEventSource.latest.streams).toEqual(['b', 'a'])
    expect(FakeEventSource.latest.resumedFrom).toBeNull()
    FakeEventSource.latest.send('a', 1, 'a1')
    FakeEventSource.latest.send('b', 1, 'b1a1')
    follow(client, 'c')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBe('b1a1')
  })

  it('is used again after an id that does not stand for that stream', async () => {
    const client = newClient({ linger: 0 })
    follow(client, 'b')
    const a = follow(client, 'a')
    await settle()
    FakeEventSource.latest.send('a', 1, 'a1')
    a.leave()
    await settle()
    FakeEventSource.latest.send('b', 2, 'b2')
    follow(client, 'a')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBe('b2')
  })

  it.each([
    ['a problem', () => FakeEventSource.latest.sendProblem('a', 403, 'Forbidden', 'a1')],
    ['data that is not JSON', () => FakeEventSource.latest.sendRaw('a', '<html>', 'a2')],
  ])('is not used after %s in place of a state', async (_, send) => {
    const client = newClient()
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.send('a', 1, 'a1')
    send()
    follow(client, 'b')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBeNull()
    FakeEventSource.latest.send('a', 2, 'a2')
    follow(client, 'c')
    await settle()
    expect(FakeEventSource.latest.resumedFrom).toBe('a2')
  })
})

describe('a stream that was left', () => {
  it('stays on the connection for a while', async () => {
    const client = newClient()
    follow(client, 'feeds')
    const a = follow(client, 'a')
    await settle()
    FakeEventSource.latest.send('a', 1)
    a.leave()
    await wait(linger - 1)
    FakeEventSource.latest.send('a', 2)
    expect(follow(client, 'a').told).toEqual([2])
    await wait(linger * 2)
    expect(FakeEventSource.all).toHaveLength(1)
    expect(a.told).toEqual([1])
  })

  it('is removed with the others, after the last of them was left', async () => {
    const client = newClient()
    follow(client, 'feeds')
    const a = follow(client, 'a')
    const b = follow(client, 'b')
    await settle()
    a.leave()
    await wait(linger / 2)
    b.leave()
    await wait(linger - 1)
    expect(streamsNow()).toEqual([['feeds', 'a', 'b']])
    await wait(1)
    expect(FakeEventSource.all).toHaveLength(2)
    expect(streamsNow()).toEqual([['feeds']])
  })

  it('makes room at once', async () => {
    const client = newClient()
    const [first] = names(16).map((name) => follow(client, name))
    await settle()
    first!.leave()
    follow(client, 'new')
    await settle()
    expect(streamsNow()).toEqual([[...names(15, 2), 'new']])
  })
})

describe('streams beyond the limit of a connection', () => {
  it('receive a problem, and are followed as soon as there is room', async () => {
    const client = newClient()
    const followed = names(18).map((name) => follow(client, name))
    const [first, , , , , , , , , , , , , , last, sixteenth, seventeenth, eighteenth] = followed
    await settle()
    expect(streamsNow()).toEqual([names(16)])
    const noRoom = expect.objectContaining({ status: 0, title: expect.stringContaining('at most 16') })
    expect(sixteenth!.told).toEqual([])
    expect(seventeenth!.told).toEqual([noRoom])
    expect(eighteenth!.told).toEqual([noRoom])
    expect(follow(client, 's17').told).toEqual([noRoom])

    // A connection of the others does not end this problem.
    FakeEventSource.latest.accept()
    expect(seventeenth!.told).toEqual([noRoom])
    first!.leave()
    await settle()
    expect(streamsNow()).toEqual([names(16, 2)])
    FakeEventSource.latest.send('s17', 1)
    expect(seventeenth!.told).toEqual([noRoom, 1])
    expect(follow(client, 's17').told).toEqual([1])
    expect(eighteenth!.told).toEqual([noRoom])
    last!.leave()
    await settle()
    expect(streamsNow()[0]).toContain('s18')
    expect(follow(client, 's18').told).toEqual([])
  })
})
