const firstDelay = 1_000

/** The longest wait between two attempts, in milliseconds. */
export const longestDelay = 30_000

/**
 * Returns the milliseconds to wait before the given attempt (1, 2, …). The
 * delay doubles up to a bound, and half of it is random, so that browsers that
 * were cut off together do not reconnect together.
 */
export function backoffDelay(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(longestDelay, firstDelay * 2 ** (attempt - 1))
  return ceiling / 2 + (ceiling / 2) * random()
}
