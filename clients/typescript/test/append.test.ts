import { describe, expect, it } from 'vitest'
import { changes, newClient, settle, useFakeServer, wait } from './fixture.js'
import { useFakeWorkers } from './sharing.js'
import type { StreamClient } from '../src/client.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()
useFakeWorkers()

/** Follows a text, and returns what is shown now. */
function read(client: StreamClient, name = 'log') {
  let shown: string | undefined
  const leave = client.subscribe<string>(name, { state: (text) => (shown = text), problem: ({ title }) => (shown = title) })
  return { leave, shown: () => shown }
}

describe('a text that grows', () => {
  it('is shown whole, to each listener', async () => {
    const client = newClient()
    const first = read(client)
    await settle()
    FakeEventSource.latest.send('log', '')
    FakeEventSource.latest.append('log', 'one\n')
    expect(first.shown()).toBe('one\n')
    const second = read(client)
    expect(second.shown()).toBe('one\n')
    FakeEventSource.latest.append('log', '"two"')
    for (const { shown } of [first, second]) expect(shown()).toBe('one\n"two"')
    FakeEventSource.latest.send('log', 'three')
    FakeEventSource.latest.append('log', '.')
    expect(first.shown()).toBe('three.')
  })

  it('goes on after a cut, and after a problem', async () => {
    const client = newClient()
    const log = read(client)
    await settle()
    FakeEventSource.latest.send('log', 'one', 'a')
    FakeEventSource.latest.append('log', ' two', 'b')
    FakeEventSource.latest.cut()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.append('log', ' three', 'c')
    expect(log.shown()).toBe('one two three')
    FakeEventSource.latest.sendProblem('log', 503)
    FakeEventSource.latest.send('log', 'one two three four', 'd')
    FakeEventSource.latest.append('log', ' five', 'e')
    expect(log.shown()).toBe('one two three four five')
    read(client, 'other')
    await changes()
    expect(FakeEventSource.latest.resumedFrom).toBe('e')
    FakeEventSource.latest.append('log', ' six', 'f')
    expect(log.shown()).toBe('one two three four five six')
  })

  it('starts over for who has left it', async () => {
    const client = newClient({ linger: 0 })
    const left = read(client)
    await settle()
    FakeEventSource.latest.send('log', 'one', 'a')
    read(client, 'other')
    await settle()
    const before = FakeEventSource.latest // lasts a little, for it is the second
    before.send('other', '', 'b')
    left.leave()
    await settle()
    const log = read(client)
    await settle()
    before.append('log', ' two', 'c')
    expect(log.shown()).toBeUndefined()
    await changes()
    expect(FakeEventSource.latest).not.toBe(before)
    expect(FakeEventSource.latest.resumedFrom).toBeNull()
    FakeEventSource.latest.send('log', 'one two')
    FakeEventSource.latest.append('log', ' three')
    expect(log.shown()).toBe('one two three')
  })

  it.each([
    ['an end that is not JSON', () => FakeEventSource.latest.sendRaw('append log', 'two', 'b')],
    ['an end that is not a text', () => FakeEventSource.latest.sendRaw('append log', '2', 'b')],
    ['a state that is not JSON', () => FakeEventSource.latest.sendRaw('log', 'one two', 'b')],
    ['a state that is not a text', () => FakeEventSource.latest.send('log', 1, 'b')],
  ])('is never shown with what cannot be appended: %s', async (_, send) => {
    const garbled = 'The server sent data that is not JSON.'
    const log = read(newClient())
    await settle()
    FakeEventSource.latest.send('log', 'one', 'a')
    send()
    FakeEventSource.latest.append('log', ' three', 'c')
    expect(log.shown()).toBe(garbled)
    FakeEventSource.latest.send('log', 'one two three', 'd')
    FakeEventSource.latest.append('log', ' four', 'e')
    expect(log.shown()).toBe('one two three four')
    FakeEventSource.latest.sendProblem('log', 503)
    FakeEventSource.latest.append('log', ' five', 'f')
    expect(log.shown()).toBe(garbled)
  })

  it('is shown whole to a page that joins those which share', async () => {
    const first = read(newClient({ share: 'alice' }))
    await wait(1)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('log', 'one')
    FakeEventSource.latest.append('log', ' two')
    const second = read(newClient({ share: 'alice' }))
    await wait(1)
    FakeEventSource.latest.append('log', ' three')
    await wait(1)
    for (const { shown } of [first, second]) expect(shown()).toBe('one two three')
  })
})
