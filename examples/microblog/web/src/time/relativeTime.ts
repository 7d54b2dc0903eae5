const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** Returns how long ago a time was, in the largest whole unit. */
export function relativeTime(moment: number, now: number): string {
  // If the clock is behind the server's, a post must not be from the future.
  const seconds = Math.max(0, (now - moment) / 1000)
  for (const [unit, length] of units) {
    if (seconds >= length) return format.format(-Math.floor(seconds / length), unit)
  }
  return seconds < 10 ? 'just now' : 'less than a minute ago'
}
