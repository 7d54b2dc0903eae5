import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { activityOf, moveOn, noteCounts, perMinute, startCounting, step, steps } from './activity'

const note = (name: string, posts: number) => noteCounts([{ name, posts }])

/** The time of a test, after those of the others. */
let time = Math.ceil(Date.now() / step) * step

beforeEach(() => {
  vi.useFakeTimers()
  vi.setSystemTime((time += 100 * step))
  startCounting()
})

afterEach(() => vi.useRealTimers())

it('counts posts in the step in which they arrive', () => {
  note('go', 5)
  expect(activityOf('go').at(-1)).toBe(0)
  note('go', 7)
  vi.advanceTimersByTime(step)
  note('go', 8)
  expect(activityOf('go').slice(-2)).toEqual([2, 1])
})

it('counts the posts of a feed that is new', () => {
  noteCounts([])
  note('sse', 2)
  expect(activityOf('sse').at(-1)).toBe(2)
})

it('does not count deletions, nor what it did not see', () => {
  note('vue', 5)
  note('vue', 3)
  startCounting()
  note('vue', 50)
  expect(activityOf('vue')).toEqual(Array(steps).fill(0))
})

it('has the rate of the last minute', () => {
  note('nats', 0)
  note('nats', 3)
  vi.advanceTimersByTime(5 * step)
  moveOn()
  expect(perMinute(activityOf('nats'))).toBe(3)
  vi.advanceTimersByTime(step)
  moveOn()
  expect(perMinute(activityOf('nats'))).toBe(0)
  vi.advanceTimersByTime(steps * step)
  moveOn()
  expect(activityOf('nats').every((count) => count === 0)).toBe(true)
})
