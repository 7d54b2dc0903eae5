import { shallowReactive, shallowRef } from 'vue'
import type { ShallowRef } from 'vue'
import type { Feed } from '../api/types'

/** The length of a step of a feed's activity, in milliseconds. */
export const step = 10_000
/** The number of steps that are kept: five minutes. */
export const steps = 30

type Steps = readonly number[]
const none: Steps = Array<number>(steps).fill(0)

const activities = shallowReactive(new Map<string, ShallowRef<Steps>>())
let current = 0
/** What each feed had. Undefined before the first list. */
let counts: Map<string, number> | undefined

/** Begins to follow the list of feeds. What was posted meanwhile was not seen. */
export function startCounting(): void {
  counts = undefined
  moveOn()
}

/** Notes how many posts the feeds have. The page sees the time of those that a feed did not have before. */
export function noteCounts(feeds: readonly Feed[]): void {
  moveOn()
  const before = counts
  counts = new Map(feeds.map(({ name, posts }) => [name, posts]))
  if (!before) return
  for (const [name, posts] of counts) {
    const arrived = posts - (before.get(name) ?? 0)
    if (arrived > 0) add(name, arrived)
  }
}

function add(name: string, arrived: number) {
  let activity = activities.get(name)
  if (!activity) activities.set(name, (activity = shallowRef(none)))
  activity.value = [...activity.value.slice(0, -1), (activity.value.at(-1) ?? 0) + arrived]
}

/** Moves the activities on to the present step. */
export function moveOn(): void {
  const now = Math.floor(Date.now() / step)
  const passed = Math.min(now - current, steps)
  if (passed <= 0) return
  current = now
  for (const [name, activity] of activities) {
    const moved = [...activity.value.slice(passed), ...none.slice(0, passed)]
    if (moved.every((count) => count === 0)) activities.delete(name)
    else activity.value = moved
  }
}

/** Returns how many posts arrived in each step of the last five minutes, as far as the page was open. */
export function activityOf(name: string): Steps {
  return activities.get(name)?.value ?? none
}

/** Returns how many posts arrived within the last minute. */
export function perMinute(activity: Steps): number {
  return activity.slice(-60_000 / step).reduce((sum, count) => sum + count, 0)
}
