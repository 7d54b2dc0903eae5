import { describe, expect, it } from 'vitest'
import { idsOf, makePage, makePost } from '../testing/posts'
import { carryOver, joinPages } from './feedPages'

const posts = (...ids: string[]) => ids.map((id) => makePost(id))

describe('joinPages', () => {
  it('shows no post twice and takes the newest page’s version', () => {
    const joined = joinPages([makePost('3', { version: 2 })], posts('3', '2'))
    expect(idsOf(joined)).toEqual(['3', '2'])
    expect(joined[0]?.version).toBe(2)
  })
})

describe('carryOver', () => {
  it('keeps posts that a new post pushed off the newest page', () => {
    const { older, gap } = carryOver(posts('5', '4', '3', '2', '1'), makePage(['6', '5', '4'], 'more'))
    expect(idsOf(older)).toEqual(['3', '2', '1'])
    expect(gap).toBe(false)
  })

  it('drops what the newest page no longer has between its posts', () => {
    const { older } = carryOver(posts('5', '4', '3', '2', '1'), makePage(['5', '3', '2'], 'more'))
    expect(idsOf(older)).toEqual(['1'])
  })

  it('keeps nothing when the newest page is the whole feed', () => {
    expect(carryOver(posts('2', '1'), makePage(['2'])).older).toEqual([])
  })

  it('keeps all and reports a gap when the newest page has none of them', () => {
    const { older, gap } = carryOver(posts('2', '1'), makePage(['9', '8'], 'more'))
    expect(idsOf(older)).toEqual(['2', '1'])
    expect(gap).toBe(true)
  })

  it('reports no gap when nothing was shown', () => {
    expect(carryOver([], makePage(['9'], 'more')).gap).toBe(false)
  })
})
