import { describe, expect, it } from 'vitest'
import { answer, answers, follow, newClient, opened, settle, useFakeServer, wait } from './fixture.js'
import { StreamClient } from '../src/client.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

async function gaveUp(response: () => Response) {
  answers.mockImplementation(() => Promise.resolve(response()))
  const client = newClient()
  const a = follow(client, 'a')
  await settle()
  FakeEventSource.latest.refuse()
  await settle()
  return { client, ...a }
}

describe('Retry-After', () => {
  it.each([
    [429, 'seconds', () => '120'],
    [503, 'seconds', () => '120'],
    [503, 'a date', () => new Date(Date.now() + 120_000).toUTCString()],
  ])('of a %d in %s is obeyed', async (status, _, field) => {
    const { client } = await gaveUp(() => new Response(null, { status, headers: { 'Retry-After': field() } }))
    expect(answers).toHaveBeenCalledTimes(1)
    for (const event of ['focus', 'online']) window.dispatchEvent(new Event(event))
    follow(client, 'b')
    await wait(118_000)
    expect(answers).toHaveBeenCalledTimes(1)
    expect(FakeEventSource.all).toHaveLength(1)
    await wait(4_000)
    expect(answers.mock.calls.length + FakeEventSource.all.length).toBe(3)
  })

  it('outlasts the streams', async () => {
    const { client, leave } = await gaveUp(() => new Response(null, { status: 429, headers: { 'Retry-After': '120' } }))
    leave()
    await wait(20_000)
    expect(client.status).toBe('idle')
    follow(client, 'b')
    await wait(90_000)
    expect(client.status).toBe('connecting')
    expect(FakeEventSource.all).toHaveLength(1)
    await opened(2)
  })

  it.each(['soon', '-5', '0', 'Wed, 21 Oct 2015 07:28:00 GMT'])('%s counts as none', async (field) => {
    await gaveUp(() => new Response(null, { status: 503, headers: { 'Retry-After': field } }))
    await wait(1_000)
    expect(answers).toHaveBeenCalledTimes(2)
  })

  it('of years is one of an hour', async () => {
    await gaveUp(() => new Response(null, { status: 503, headers: { 'Retry-After': '99999999' } }))
    await wait(3_602_000)
    expect(answers).toHaveBeenCalledTimes(2)
  })
})

describe('a server that turns streams away', () => {
  it('shows as one status', async () => {
    const client = newClient()
    const statuses: string[] = []
    client.onStatus((status) => statuses.push(status))
    const a = follow(client, 'a')
    await settle()
    for (let i = 0; i < 20; i++) {
      await wait(100)
      FakeEventSource.latest.turnAway()
      await wait(3_000)
    }
    expect(statuses).toEqual(['connecting', 'reconnecting'])
    expect(FakeEventSource.all).toHaveLength(1)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    expect(statuses).toEqual(['connecting', 'reconnecting', 'live'])
    expect(a.told).toEqual([1])
  })

  it('is not asked more often because the streams change', async () => {
    const client = newClient()
    for (let i = 0; i < 300; i++) {
      follow(client, `s${i}`).leave()
      await wait(100)
      FakeEventSource.latest.turnAway()
    }
    expect(FakeEventSource.all.length).toBeLessThan(8)
  })
})

it('a server without heartbeats is live a second after it has opened a stream', async () => {
  const client = newClient()
  follow(client, 'a')
  await settle()
  FakeEventSource.latest.readyState = FakeEventSource.OPEN
  FakeEventSource.latest.dispatchEvent(new Event('open'))
  expect(client.status).toBe('connecting')
  await wait(1_000)
  expect(client.status).toBe('live')
})

it('a network that flaps costs ever fewer connections', async () => {
  follow(newClient(), 'a')
  await settle()
  for (let i = 0; i < 600; i++) {
    window.dispatchEvent(new Event(i % 2 ? 'online' : 'offline'))
    FakeEventSource.latest.accept()
    await wait(100)
  }
  expect(FakeEventSource.all.length).toBeLessThan(12)
})

describe('an address', () => {
  it.each(['http://[', 'http://host:port/', '//', 'ftp://host/streams', 'data:text/event-stream,', 'http://me:secret@host/', '/s#part', '/s#'])(
    'of %j is an error at once',
    (url) => {
      expect(() => new StreamClient(url)).toThrow(TypeError)
    },
  )

  it.each([
    ['/s?tenant=1', '/s?tenant=1&stream=a&heartbeat=1'],
    [' s ', 's?stream=a&heartbeat=1'],
  ])('of %j is asked for', async (url, requested) => {
    const client = new StreamClient(url)
    follow(client, 'a')
    await settle()
    expect(FakeEventSource.latest.url).toBe(requested)
    client.close()
  })
})

it('the address of a plain GET asks for no heartbeats', async () => {
  await gaveUp(() => answer({ a: 1 }))
  expect(answers.mock.calls[0]?.[0]).toBe('/api/streams?stream=a')
})
