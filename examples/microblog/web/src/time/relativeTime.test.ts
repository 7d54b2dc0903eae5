import { expect, it } from 'vitest'
import { relativeTime } from './relativeTime'

const minute = 60_000
const day = 24 * 60 * minute

it.each([
  [-5_000, 'just now'],
  [0, 'just now'],
  [9_999, 'just now'],
  [30_000, 'less than a minute ago'],
  [minute, '1 minute ago'],
  [59 * minute, '59 minutes ago'],
  [90 * minute, '1 hour ago'],
  [day, 'yesterday'],
  [6 * day, '6 days ago'],
  [7 * day, 'last week'],
  [400 * day, 'last year'],
])('%d ms ago is %j', (age, expected) => {
  expect(relativeTime(1e12 - age, 1e12)).toBe(expected)
})
