const firstDelay = 1_000

/** The longest wait between two attempts, in milliseconds. */
export const longestDelay = 30_000

/**
 * Milliseconds to wait before the given attempt (1, 2, …): doubling, bounded,
 * and half of it random, so that browsers cut off together do not return together.
 */
export function backoffDelay(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(longestDelay, firstDelay * 2 ** (attempt - 1))
  return ceiling / 2 + (ceiling / 2) * random()
}
