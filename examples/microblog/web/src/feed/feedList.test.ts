import { expect, it } from 'vitest'
import { byName, feedsBehind, filterFeeds, sortFeeds } from './feedList'

const feeds = [
  { name: 'web', posts: 1 },
  { name: 'go', posts: 3 },
  { name: 'cqrs', posts: 3 },
]

it('sorts by posts, then by name, and does not change its input', () => {
  expect(sortFeeds(feeds).map((feed) => feed.name)).toEqual(['cqrs', 'go', 'web'])
  expect(feeds[0]?.name).toBe('web')
})

it('filters by part of the name, with or without #', () => {
  expect(filterFeeds(feeds, ' #G').map((feed) => feed.name)).toEqual(['go'])
  expect(filterFeeds([{ name: 'café', posts: 1 }, { name: 'cafe', posts: 1 }], 'Cafe')).toHaveLength(2)
  expect(filterFeeds([{ name: 'cafe', posts: 1 }], 'é')).toHaveLength(1)
  expect(filterFeeds(feeds, '')).toBe(feeds)
  expect(filterFeeds(feeds, 'nothing')).toEqual([])
})

it('orders names as the server does, by code point', () => {
  const names = ['a', 'ab', 'b', 'ä', '\uffee', '🙂', '🙂🙂']
  const feeds = names.map((name) => ({ name, posts: 1 }))
  expect([...feeds].reverse().sort(byName)).toEqual(feeds)
})

it('keeps the feeds behind the part that the stream has', () => {
  const shown = ['a', 'b', 'c', 'd'].map((name) => ({ name, posts: 1 }))
  const names = (next: string) => feedsBehind(shown, { feeds: [], next }).map((feed) => feed.name)
  expect(names('b')).toEqual(['c', 'd'])
  expect(names('aa')).toEqual(['b', 'c', 'd'])
  expect(names('')).toEqual([])
})
