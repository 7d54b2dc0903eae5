import { FakeEventSource } from '@feedmill/streams/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, ref } from 'vue'
import type { EffectScope } from 'vue'
import { idsOf, makePage, makePost } from '../testing/posts'
import { connected, startStreams, stopStreams } from '../testing/streams'
import { mostWaiting, useFeed } from './useFeed'

const answers = vi.fn<typeof fetch>()
const below = ref(false)
let scope: EffectScope
let visits = 0
/** Each visit of a page is an entry of the browser's history. */
const at = (position: number) => window.history.replaceState({ position }, '')

beforeEach(() => {
  startStreams()
  answers.mockReset()
  vi.stubGlobal('fetch', answers)
  below.value = false
  at(++visits)
  scope = effectScope()
})

afterEach(() => stopStreams(scope))

async function open() {
  const feed = scope.run(() => useFeed('go', below))!
  await connected()
  return feed
}

/** Sends a state, long enough after the last to be shown at once. */
async function stream(ids: string[], next = '') {
  await vi.advanceTimersByTimeAsync(150)
  FakeEventSource.latest.send('feed:go', makePage(ids, next))
}
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
    await stream(['3', '2'], 'c2')
    await stream(['4', '3'], 'c3')
    expect(idsOf(feed.posts.value)).toEqual(['4', '3'])
    expect(feed.next.value).toBe('c3')
  })

  it('keeps loaded posts when updates come', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    answer(['3', '2'], 'c2')
    await feed.loadOlder()
    await stream(['6', '5'], 'c5')
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3', '2'])
    expect(feed.next.value).toBe('c2')
  })

  it('keeps posts that move down while older ones are loaded', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    const arrive = answerLater()
    const loaded = feed.loadOlder()
    await stream(['6', '5'], 'c5')
    arrive(['3', '2'])
    await loaded
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3', '2'])
  })

  it('can be retried after a failure', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
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
    await stream(['2', '1'])
    feed.remove('2')
    await stream(['3', '2', '1'])
    expect(idsOf(feed.posts.value)).toEqual(['3', '1'])
  })
})

describe('older pages', () => {
  it('that the user loads are not removed by a refresh that is under way', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    answer(['3'], 'c3')
    await feed.loadOlder()
    await stream(['6', '5'], 'c5')
    const arrive = answerLater()
    await vi.advanceTimersByTimeAsync(1_000)
    answer(['2'], 'c2')
    await feed.loadOlder()
    arrive(['4', '3'], 'c3')
    await vi.advanceTimersByTimeAsync(0)
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3', '2'])
    expect(feed.next.value).toBe('c2')
  })

  it('are fetched again a little after a change', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    answer(['3', '2'], 'c2')
    await feed.loadOlder()
    await stream(['6', '5'], 'c5')
    answer(['4', '2'], 'd2')
    answer(['1'])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(askedCursors()).toEqual(['c4', 'c5', 'd2'])
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '2', '1'])
    expect(feed.next.value).toBe('')
  })

  it('are fetched at once if posts between may be missing', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    answer(['3'])
    await feed.loadOlder()
    await stream(['9', '8'], 'c8')
    answer(['7', '6'], 'c6')
    answer(['5', '4'], 'c4')
    await vi.advanceTimersByTimeAsync(0)
    expect(idsOf(feed.posts.value)).toEqual(['9', '8', '7', '6', '5', '4'])
    expect(feed.next.value).toBe('c4')
  })

  it('stay when they cannot be fetched again', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    answer(['3'])
    await feed.loadOlder()
    answers.mockRejectedValueOnce(new TypeError('failed to fetch'))
    await stream(['6', '5'], 'c5')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(idsOf(feed.posts.value)).toEqual(['6', '5', '4', '3'])
    expect(feed.loadError.value).toBeUndefined()
  })

  it('are not fetched after the page was left', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    answer(['3'])
    await feed.loadOlder()
    await stream(['6', '5'], 'c5')
    scope.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(answers).toHaveBeenCalledTimes(1)
  })
})

describe('a reader below the top', () => {
  it('is not moved by new posts, which wait', async () => {
    const feed = await open()
    await stream(['2', '1'])
    below.value = true
    await stream(['4', '3', '2', '1'])
    expect(idsOf(feed.posts.value)).toEqual(['2', '1'])
    expect(feed.waiting.value).toBe(2)
    below.value = false
    expect(idsOf(feed.posts.value)).toEqual(['4', '3', '2', '1'])
    expect(feed.waiting.value).toBe(0)
  })

  it('sees what changes in the posts that they read', async () => {
    const feed = await open()
    await stream(['3', '2', '1'])
    below.value = true
    await vi.advanceTimersByTimeAsync(150)
    FakeEventSource.latest.send('feed:go', { ...makePage([]), posts: [makePost('4'), makePost('3', { version: 2 }), makePost('1')] })
    expect(feed.posts.value.map(({ id, version }) => [id, version])).toEqual([['3', 2], ['1', 1]])
  })

  it('keeps posts that the newest page has no more', async () => {
    const feed = await open()
    await stream(['3', '2'], 'c2')
    below.value = true
    await stream(['5', '4'], 'c4')
    answer(['3', '2'], 'c2')
    await vi.advanceTimersByTimeAsync(0)
    expect(idsOf(feed.posts.value)).toEqual(['3', '2'])
    expect(feed.next.value).toBe('c2')
    expect(feed.waiting.value).toBe(2)
    below.value = false
    expect(idsOf(feed.posts.value)).toEqual(['5', '4'])
    expect(feed.next.value).toBe('c4')
  })

  it('stays where they are when very many posts arrive', async () => {
    const feed = await open()
    await stream(['b', 'a'], 'ca')
    below.value = true
    let last: string[] = []
    for (let i = 0; i <= mostWaiting / 10; i++) {
      last = Array.from({ length: 10 }, (_, n) => `${i}-${n}`)
      answers.mockImplementation(() => Promise.resolve(Response.json(makePage(['b', 'a']))))
      await stream(last, `c${i}`)
    }
    expect(idsOf(feed.posts.value)).toEqual(['b', 'a'])
    expect(feed.waiting.value).toBeGreaterThan(mostWaiting)
    answers.mockClear()
    await stream(['z'], 'cz')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(answers, 'nothing is loaded again').not.toHaveBeenCalled()
    expect(idsOf(feed.posts.value)).toEqual(['b', 'a'])
    below.value = false
    expect(idsOf(feed.posts.value)).toEqual(['z'])
    expect(feed.next.value).toBe('cz')
  })
})

it('draws only posts again that have changed', async () => {
  const feed = await open()
  await stream(['2', '1'])
  const [second, first] = feed.posts.value
  await vi.advanceTimersByTimeAsync(150)
  FakeEventSource.latest.send('feed:go', { ...makePage([]), posts: [makePost('2', { version: 2 }), makePost('1')] })
  expect(feed.posts.value[0]).not.toBe(second)
  expect(feed.posts.value[1]).toBe(first)
})

describe('going back', () => {
  it('shows what was loaded, at the same place, and loads it again', async () => {
    const feed = await open()
    await stream(['5', '4'], 'c4')
    answer(['3', '2'], 'c2')
    await feed.loadOlder()
    feed.leaveAt({ id: '3', top: 12 })
    scope.stop()
    at(visits + 1)
    scope = effectScope()
    expect(scope.run(() => useFeed('go', below))!.returnTo, 'another visit begins anew').toBeUndefined()
    scope.stop()
    at(visits)
    scope = effectScope()
    const again = scope.run(() => useFeed('go', below))!
    expect(idsOf(again.posts.value)).toEqual(['5', '4', '3', '2'])
    expect(again.returnTo).toEqual({ id: '3', top: 12 })
    answers.mockImplementation(() => Promise.resolve(Response.json(makePage(['4', '2'], 'c2'))))
    await connected()
    await stream(['6', '5'], 'c5')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(idsOf(again.posts.value)).toEqual(['6', '5', '4', '2'])
  })
})
