import { FakeEventSource } from '@feedmill/streams/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, ref } from 'vue'
import type { EffectScope } from 'vue'
import { idsOf, makePage } from '../testing/posts'
import { startStreams, stopStreams } from '../testing/streams'
import { useFeed } from './useFeed'

const answers = vi.fn<typeof fetch>()
const name = ref('go')
let scope: EffectScope

beforeEach(() => {
  startStreams()
  answers.mockReset()
  vi.stubGlobal('fetch', answers)
  name.value = 'go'
  scope = effectScope()
})

afterEach(() => stopStreams(scope))

async function open() {
  const feed = scope.run(() => useFeed(name))!
  await connected()
  return feed
}

/** Runs the timers that are due, so that changed streams reach the server. */
const connected = () => vi.advanceTimersByTimeAsync(0)
const stream = (ids: string[], next = '') => FakeEventSource.latest.send(`feed:${name.value}`, makePage(ids, next))
const answer = (ids: string[], next = '') => answers.mockResolvedValueOnce(Response.json(makePage(ids, next)))
/** Delays the answer to the next request until the returned function is called. */
function answerLater() {
  let arrive: (response: Response) => void = () => undefined
  answers.mockReturnValueOnce(new Promise((resolve) => (arrive = resolve)))
  return (ids: string[], next = '') => arrive(Response.json(makePage(ids, next)))
}
const askedCursors = () => answers.mock.calls.map(([path]) => String(path).split('cursor=')[1])

describe('a feed', () => {
  it('shows only the newest page at first', async () => {
    const feed = await open()
    stream(['3', '2'], 'c2')
    stream(['4', '3'], 'c3')
    expect(idsOf(feed.posts.value)).toEqual(['4', '3'])
    expect(feed.next.value).toBe('c3')
  })

  it('keeps loaded posts when updates come', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answer(['3', '2'], 'c2')
    await feed.loadOlder()
    stream(['6', '5'], 'c5')
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3', '2'])
    expect(feed.next.value).toBe('c2')
  })

  it('keeps posts that move down while older ones are loaded', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    const arrive = answerLater()
    const loaded = feed.loadOlder()
    stream(['6', '5'], 'c5')
    arrive(['3', '2'])
    await loaded
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3', '2'])
  })

  it('can be retried after a failure', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answers.mockResolvedValueOnce(new Response(null, { status: 500 }))
    await feed.loadOlder()
    expect(feed.loadError.value?.status).toBe(500)
    answer(['3'])
    await feed.loadOlder()
    expect(feed.loadError.value).toBeUndefined()
    expect(askedCursors()).toEqual(['c4', 'c4'])
    expect(idsOf(feed.posts.value)).toEqual(['5', '4', '3'])
    expect(feed.next.value).toBe('')
  })

  it('hides a removed post, even if a late state contains it', async () => {
    const feed = await open()
    stream(['2', '1'])
    feed.remove('2')
    stream(['3', '2', '1'])
    expect(idsOf(feed.posts.value)).toEqual(['3', '1'])
  })

  it('starts over with another name', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answer(['3'])
    await feed.loadOlder()
    name.value = 'sse'
    await connected()
    expect(FakeEventSource.latest.streams).toContain('feed:sse')
    expect(feed.posts.value).toEqual([])
    stream(['9'])
    expect(idsOf(feed.posts.value)).toEqual(['9'])
  })
})

describe('older pages', () => {
  it('of the previous feed do not appear in the next', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    const arrive = answerLater()
    const loaded = feed.loadOlder()
    name.value = 'sse'
    await connected()
    stream(['9'], 'c9')
    arrive(['3', '2'])
    await loaded
    expect(idsOf(feed.posts.value)).toEqual(['9'])
    expect(feed.next.value).toBe('c9')
  })

  it('that the user loads are not removed by a refresh that is under way', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answer(['3'], 'c3')
    await feed.loadOlder()
    stream(['6', '5'], 'c5')
    const arrive = answerLater()
    await vi.advanceTimersByTimeAsync(5_000)
    answer(['2'], 'c2')
    await feed.loadOlder()
    arrive(['4', '3'], 'c3')
    await vi.advanceTimersByTimeAsync(0)
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3', '2'])
    expect(feed.next.value).toBe('c2')
  })

  it('are fetched again a little after a change', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answer(['3', '2'], 'c2')
    await feed.loadOlder()
    stream(['6', '5'], 'c5')
    answer(['4', '2'], 'd2')
    answer(['1'])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(askedCursors()).toEqual(['c4', 'c5', 'd2'])
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '2', '1'])
    expect(feed.next.value).toBe('')
  })

  it('are fetched at once if posts between may be missing', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answer(['3'])
    await feed.loadOlder()
    stream(['9', '8'], 'c8')
    answer(['7', '6'], 'c6')
    answer(['5', '4'], 'c4')
    await vi.advanceTimersByTimeAsync(0)
    expect(idsOf(feed.posts.value)).toEqual(['9', '8', '7', '6', '5', '4'])
    expect(feed.next.value).toBe('c4')
  })

  it('stay when they cannot be fetched again', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answer(['3'])
    await feed.loadOlder()
    answers.mockRejectedValueOnce(new TypeError('failed to fetch'))
    stream(['6', '5'], 'c5')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3'])
    expect(feed.loadError.value).toBeUndefined()
  })

  it('are not fetched after the page was left', async () => {
    const feed = await open()
    stream(['5', '4'], 'c4')
    answer(['3'])
    await feed.loadOlder()
    stream(['6', '5'], 'c5')
    scope.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(answers).toHaveBeenCalledTimes(1)
  })
})
