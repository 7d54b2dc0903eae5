import { expect, it } from 'vitest'
import { createLatencies } from './latencies'

it('measures whichever of the two comes first', () => {
  const { measured, noteSent, notePainted } = createLatencies()
  noteSent('a', 100)
  expect(measured.size).toBe(0)
  notePainted('a', 120)
  notePainted('b', 150)
  noteSent('b', 110)
  expect([...measured]).toEqual([['a', 20], ['b', 40]])
})

it('takes the first time that a post was painted', () => {
  const { measured, noteSent, notePainted } = createLatencies()
  notePainted('a', 120)
  notePainted('a', 500)
  noteSent('a', 100)
  notePainted('a', 900)
  expect(measured.get('a')).toBe(20)
})

it('has the median of the last fifty', () => {
  const { measured, median, noteSent, notePainted } = createLatencies()
  expect(median()).toBeUndefined()
  for (let i = 0; i < 60; i++) {
    noteSent(`${i}`, 0)
    notePainted(`${i}`, i)
  }
  expect(measured.size).toBe(50)
  expect(median()).toBe(35)
})

it('forgets posts that others have sent', () => {
  const { measured, noteSent, notePainted } = createLatencies()
  for (let i = 0; i < 1_000; i++) notePainted(`${i}`, i)
  noteSent('100', 0)
  noteSent('900', 0)
  expect([...measured.keys()]).toEqual(['900'])
})

it('does not measure what was missed', () => {
  const { measured, noteSent, notePainted, forgetPending } = createLatencies()
  noteSent('a', 0)
  forgetPending()
  notePainted('a', 5_000)
  expect(measured.size).toBe(0)
})
