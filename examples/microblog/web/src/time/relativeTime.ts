const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** How long ago a moment was, in its largest whole unit. */
export function relativeTime(moment: number, now: number): string {
  // A clock behind the server's must not show posts from the future.
  const seconds = Math.max(0, (now - moment) / 1000)
  for (const [unit, length] of units) {
    if (seconds >= length) return format.format(-Math.floor(seconds / length), unit)
  }
  return seconds < 10 ? 'just now' : 'less than a minute ago'
}
