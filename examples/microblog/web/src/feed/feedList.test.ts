import { expect, it } from 'vitest'
import { filterFeeds, sortFeeds } from './feedList'

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
  expect(filterFeeds(feeds, '')).toBe(feeds)
  expect(filterFeeds(feeds, 'nothing')).toEqual([])
})
