import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, shallowRef } from 'vue'
import type { EffectScope } from 'vue'
import type { Post } from '../api/types'
import { makePost } from '../testing/posts'
import { useArrivals } from './useArrivals'

let scope: EffectScope
const newest = shallowRef<Post[]>()
const show = (...ids: string[]) => (newest.value = ids.map((id) => makePost(id)))

beforeEach(() => {
  vi.useFakeTimers()
  newest.value = undefined
  scope = effectScope()
})

afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

const open = () => scope.run(() => useArrivals(newest))!
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

it('announces posts that arrive, and not those that are there', async () => {
  const { announcement } = open()
  show('1')
  await pass(10)
  expect(announcement.value).toBe('')
  show('2', '1')
  await pass(10)
  expect(announcement.value).toBe('1 new post')
})

it('announces posts together that arrive closely', async () => {
  const { announcement } = open()
  show('0')
  for (let n = 1; n <= 20; n++) {
    show(`${n}`, `${n - 1}`)
    await pass(100)
  }
  expect(announcement.value).toBe('1 new post')
  await pass(5_000)
  expect(announcement.value).toBe('19 new posts')
  await pass(5_000)
  expect(announcement.value).toBe('')
})

it('marks posts that arrive, unless there are many', async () => {
  const { arrived } = open()
  show('1')
  expect([...arrived.value]).toEqual([])
  show('2', '1')
  expect([...arrived.value]).toEqual(['2'])
  await pass(100)
  show('3', '2', '1')
  expect([...arrived.value]).toEqual([])
  await pass(2_000)
  show('5', '4', '3')
  expect([...arrived.value]).toEqual(['5', '4'])
})
