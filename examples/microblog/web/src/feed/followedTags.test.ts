import { beforeEach, expect, it, vi } from 'vitest'

const key = 'microblog.tags'
const keep = (value: string) => localStorage.setItem(key, value)
const kept = () => JSON.parse(localStorage.getItem(key) ?? 'null')

/** Opens a window of the browser. */
async function open() {
  vi.resetModules()
  return import('./followedTags')
}

/** Tells the windows what another one has stored, as the browser does. */
const told = (changed: string | null = key) => window.dispatchEvent(new StorageEvent('storage', { key: changed }))

beforeEach(() => {
  vi.restoreAllMocks()
  localStorage.clear()
  told()
})

it('keeps the tags for all windows', async () => {
  const first = await open()
  expect(first.followedTags.value).toEqual([])
  first.follow('sse')
  first.follow('go')
  first.follow('go')
  expect(first.followedTags.value).toEqual(['go', 'sse'])

  const second = await open()
  expect(second.followedTags.value, 'after a reload').toEqual(['go', 'sse'])
  second.unfollow('sse')
  told()
  expect(first.followedTags.value, 'in the other window').toEqual(['go'])
  localStorage.clear()
  told(null)
  expect(first.followedTags.value).toEqual([])
})

it('changes what another window has stored, told of it or not', async () => {
  const first = await open()
  first.follow('go')
  keep('["go","sse"]')
  first.follow('vue')
  expect(first.followedTags.value).toEqual(['go', 'sse', 'vue'])
  keep('["sse","vue"]')
  first.unfollow('vue')
  expect(kept()).toEqual(['sse'])
})

it.each([
  ['no JSON', '{', []],
  ['no list', '{"go":1}', []],
  ['what is no tag', JSON.stringify(['go', 7, null, '', 'a b', 'a,b', '#c', '~all', '@ada', 'x\u0007', '\ud800', 'x'.repeat(65), '日本']), ['go', '日本']],
  ['a tag twice', '["go","go"]', ['go']],
])('reads of %s what can be followed', async (_, text, tags) => {
  keep(text)
  expect((await open()).followedTags.value).toEqual(tags)
})

it('follows as many tags as a page can have', async () => {
  const names = Array.from({ length: 300 }, (_, i) => `usual_length${i}`)
  keep(JSON.stringify(names))
  const { canFollow, follow, followedTags, mostTags, unfollow } = await open()
  expect(followedTags.value).toHaveLength(mostTags)
  expect(canFollow(names[250]!)).toBe(false)
  follow(names[250]!)
  expect(followedTags.value).toHaveLength(mostTags)
  unfollow(names[0]!)
  expect(canFollow(names[250]!)).toBe(true)
  follow(names[250]!)
  expect(kept()).toContain(names[250])
})

it('follows as many as an address can have', async () => {
  keep(JSON.stringify(Array.from({ length: 10 }, (_, i) => String(i) + '日'.repeat(63))))
  const { canFollow, followedTags } = await open()
  expect(followedTags.value).toHaveLength(7)
  expect(encodeURIComponent(followedTags.value.join()).length).toBeLessThanOrEqual(4_090)
  expect(canFollow('日'.repeat(64))).toBe(false)
  expect(canFollow('go')).toBe(true)
})

it('does without a store', async () => {
  const refuse = () => {
    throw new Error('forbidden')
  }
  vi.stubGlobal('localStorage', { getItem: refuse, setItem: refuse })
  const { follow, followedTags, unfollow } = await open()
  follow('go')
  follow('sse')
  expect(followedTags.value).toEqual(['go', 'sse'])
  unfollow('go')
  expect(followedTags.value).toEqual(['sse'])
  vi.unstubAllGlobals()
})
