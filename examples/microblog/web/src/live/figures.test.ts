import { describe, expect, it } from 'vitest'
import { preciseTime } from './arrivals'
import { bytes, count, gauge, milliseconds } from './figures'

it('shows milliseconds with a digit where it matters', () => {
  expect(milliseconds(0.04)).toBe('0.0 ms')
  expect(milliseconds(9.96)).toBe('10.0 ms')
  expect(milliseconds(3276.4)).toBe('3,276 ms')
})

it('shows bytes and counts', () => {
  expect([bytes(512), bytes(39_100), bytes(39_100_000)]).toEqual(['512 B', '39 KB', '39.1 MB'])
  expect([count(1, 'post'), count(2, 'post'), count(2, 'batch', 'batches')]).toEqual(['1 post', '2 posts', '2 batches'])
})

describe('the gauge of a station', () => {
  it('is wrong where events pile up or are parked', () => {
    expect(gauge('outbox', { 'cqrsfeed.outbox.depth': 3 })).toEqual({ text: '3 waiting', wrong: false })
    expect(gauge('outbox', { 'cqrsfeed.outbox.depth': 55 }).wrong).toBe(true)
    expect(gauge('outbox', { 'cqrsfeed.outbox.parked': 1 })).toEqual({ text: '0 waiting, 1 parked', wrong: true })
  })

  it('does not take a bounded count for an exact one', () => {
    expect(gauge('outbox', { 'cqrsfeed.outbox.depth': 9_999 }).text).toBe('9,999 waiting')
    expect(gauge('outbox', { 'cqrsfeed.outbox.depth': 10_000, 'cqrsfeed.outbox.parked': 10_000 }).text).toBe(
      '10,000 or more waiting, 10,000 or more parked',
    )
  })

  it('is empty where nothing is measured', () => {
    expect(gauge('broker', {}).text).toBe('')
    expect(gauge('broker', { 'natspubsub.topic.unread': 4 }).text).toBe('4 unread')
  })

  it('says how often and how much a router has sent', () => {
    expect(gauge('router', { 'ssestream.frames': 2, 'ssestream.io': 512 }).text).toBe('sent 2 states, 512 B')
  })
})

it('reads times with more digits than Date keeps', () => {
  const at = Date.parse('2026-11-30T10:00:00Z')
  expect(preciseTime('2026-11-30T10:00:00.123456789Z') - at).toBeCloseTo(123.457, 2)
  expect(preciseTime('2026-11-30T11:00:00.5+01:00') - at).toBe(500)
  expect(preciseTime('2026-11-30T10:00:00Z')).toBe(at)
})
