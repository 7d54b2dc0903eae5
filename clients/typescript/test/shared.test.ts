import { describe, expect, it } from 'vitest'
import { answer, answers, follow, linger, newClient, streamsNow, unreachable, useFakeServer, wait } from './fixture.js'
import { crashWorker, locks, setFate, useFakeWorkers } from './sharing.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()
useFakeWorkers()

/** The client of another page. */
const newPage = (share = 'alice') => newClient({ share, linger: 0 })

/** Lets messages between pages and worker arrive. */
const told = () => wait(1)

describe('pages that share', () => {
  it('use one connection, and receive their own streams', async () => {
    const [one, two] = [newPage(), newPage()]
    const a = follow(one, 'a')
    const b = follow(two, 'b')
    const both = follow(two, 'a')
    await told()
    expect(streamsNow()).toEqual([['a', 'b']])
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.send('b', 2)
    FakeEventSource.latest.sendProblem('b', 404)
    await told()
    expect(a.told).toEqual([1])
    expect(both.told).toEqual([1])
    expect(b.told).toEqual([2, expect.objectContaining({ status: 404 })])
    expect([one.status, two.status]).toEqual(['live', 'live'])
  })

  it('receive the last state of what another page follows, and the status', async () => {
    follow(newPage(), 'a')
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    const late = newPage()
    const a = follow(late, 'a')
    await told()
    expect(a.told).toEqual([1])
    expect(late.status).toBe('live')
    expect(FakeEventSource.all).toHaveLength(1)
  })

  it('keep the last state while the server cannot be reached', async () => {
    answers.mockImplementation(unreachable)
    const page = newPage()
    follow(page, 'a')
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.refuse()
    await told()
    expect(follow(page, 'a').told).toEqual([1, expect.objectContaining({ status: 0 })])
  })

  it('do not share with pages of another user or address', async () => {
    follow(newPage('alice'), 'a')
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    const bob = follow(newPage('bob'), 'a')
    follow(newClient({ share: 'alice', withCredentials: true }), 'a')
    follow(newClient(), 'a')
    await told()
    expect(streamsNow()).toEqual([['a'], ['a'], ['a'], ['a']])
    expect(bob.told).toEqual([])
  })

  it('have more connections for more than 16 streams', async () => {
    const pages = [newPage(), newPage(), newPage()]
    const followed = Array.from({ length: 40 }, (_, i) => follow(pages[i % 3]!, `s${i}`))
    await told()
    expect(FakeEventSource.active.map(({ streams }) => streams.length)).toEqual([16, 16, 8])
    FakeEventSource.active.forEach((source) => source.accept())
    FakeEventSource.active.forEach((source) => source.streams.forEach((name) => source.send(name, name)))
    await told()
    followed.forEach(({ told }, i) => expect(told).toEqual([`s${i}`]))
    FakeEventSource.all[2]!.cut()
    await told()
    expect(pages.map(({ status }) => status)).toContain('reconnecting')
    expect(follow(pages[0]!, 's0').told).toEqual(['s0'])
  })

  it('ask again for a stream that was refused, when somebody subscribes to it or returns', async () => {
    const page = newPage()
    const first = follow(page, 'mine')
    follow(newPage(), 'other')
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('other', 1)
    FakeEventSource.latest.sendProblem('mine', 401)
    await told()
    follow(page, 'mine')
    await wait(2_000)
    expect(FakeEventSource.all).toHaveLength(2)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.sendProblem('mine', 401)
    page.returned()
    await wait(2_000)
    expect(FakeEventSource.all).toHaveLength(3)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('mine', 5)
    await told()
    expect(first.told).toEqual([expect.objectContaining({ status: 401 }), 5])
  })

  it('are told of an outage, and of its end', async () => {
    const [one, two] = [newPage(), newPage()]
    const a = follow(one, 'a')
    follow(two, 'a')
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    answers.mockImplementation(() => Promise.resolve(new Response(null, { status: 502 })))
    FakeEventSource.latest.refuse()
    await wait(1_100)
    expect([one.status, two.status]).toEqual(['reconnecting', 'reconnecting'])
    expect(a.told).toEqual([1, expect.objectContaining({ status: 502 })])
    answers.mockImplementation(() => Promise.resolve(answer({ a: 2 })))
    await wait(60_000)
    FakeEventSource.latest.accept()
    await told()
    expect(a.told.at(-1)).toBe(2)
    expect([one.status, two.status]).toEqual(['live', 'live'])
  })
})

describe('a page that ends', () => {
  it.each([
    ['closes its client', (page: ReturnType<typeof newPage>) => page.close()],
    ['is left', () => window.dispatchEvent(new Event('pagehide'))],
    ['crashes', () => locks.crash('feedmill-streams page')],
  ])('gives its streams back when it %s', async (_, end) => {
    const page = newPage()
    follow(page, 'a')
    await told()
    expect(streamsNow()).toEqual([['a']])
    end(page)
    await told()
    await wait(linger)
    expect(streamsNow()).toEqual([])
  })

  it('goes on when it is restored', async () => {
    const page = newPage()
    const a = follow(page, 'a')
    await told()
    window.dispatchEvent(new Event('pagehide'))
    await wait(60_000)
    window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
    await wait(500)
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 3)
    await told()
    expect(a.told).toEqual([3])
    expect(page.status).toBe('live')
  })
})

describe('a worker', () => {
  it('that has crashed is replaced by one for all pages', async () => {
    const pages = [newPage(), newPage()]
    const followed = pages.map((page) => follow(page, 'a'))
    await told()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    await told()
    const lost = FakeEventSource.latest
    crashWorker()
    await told()
    lost.close()
    expect(pages.map(({ status }) => status)).toEqual(['connecting', 'connecting'])
    expect(streamsNow()).toEqual([['a']])
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 2)
    await told()
    expect(followed.map(({ told }) => told)).toEqual([[1, 2], [1, 2]])
  })

  it.each(['page', 'worker'])('whose locks the browser refuses (that of the %s) is not needed', async (holder) => {
    follow(newPage(), 'a')
    await told()
    locks.refused = `feedmill-streams ${holder}`
    const page = newPage()
    const b = follow(page, 'b')
    await told()
    expect(streamsNow()).toContainEqual(['b'])
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('b', 1)
    expect(b.told).toEqual([1])
    expect(page.status).toBe('live')
  })

  it.each(['hang', 'fail', 'throw'] as const)('that cannot be had (%s) is not needed', async (fate) => {
    setFate(fate)
    const page = newPage()
    const a = follow(page, 'a')
    const statuses: string[] = []
    page.onStatus((status) => statuses.push(status))
    await wait(5_001)
    expect(streamsNow()).toEqual([['a']])
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    follow(page, 'b')
    await wait(500)
    expect(streamsNow()).toEqual([['a', 'b']])
    expect(a.told).toEqual([1])
    expect(statuses).toEqual(['connecting', 'live'])
    page.close()
    expect(streamsNow()).toEqual([])
  })
})
