/** Waits in milliseconds: the longest before the first attempt, and the longest of all. */
export interface Waits {
  readonly first: number
  readonly longest: number
}

/** For a server that fails. */
export const failure: Waits = { first: 1_000, longest: 30_000 }

/** For a server that refuses a stream. It ends such a connection itself after some minutes. */
export const refusal: Waits = { first: 30_000, longest: 200_000 }

/**
 * Returns the milliseconds to wait before the given attempt (1, 2, …). The
 * delay doubles up to a bound, and half of it is random, so that browsers that
 * were cut off together do not reconnect together.
 */
export function backoffDelay(attempt: number, { first, longest }: Waits = failure, random: () => number = Math.random): number {
  const ceiling = Math.min(longest, first * 2 ** (attempt - 1))
  return ceiling / 2 + (ceiling / 2) * random()
}
