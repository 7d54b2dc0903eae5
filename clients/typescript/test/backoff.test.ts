import { expect, it } from 'vitest'
import { backoffDelay } from '../src/backoff.js'

it('doubles up to a bound', () => {
  const ceilings = [1, 2, 3, 6, 100, 5_000].map((attempt) => backoffDelay(attempt, undefined, () => 1))
  expect(ceilings).toEqual([1_000, 2_000, 4_000, 30_000, 30_000, 30_000])
})

it('is random in the upper half', () => {
  expect(backoffDelay(3, undefined, () => 0)).toBe(2_000)
  expect(backoffDelay(3, undefined, () => 0.5)).toBe(3_000)
})
