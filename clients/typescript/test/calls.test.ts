import { expect, it, vi } from 'vitest'
import { newClient, useFakeServer, wait } from './fixture.js'
import { randomOf } from './random.js'
import { locks, useFakeWorkers } from './sharing.js'
import { calm, names, World } from './world.js'
import type { StreamClient } from '../src/client.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()
useFakeWorkers()

/** A listener, and what it shows. A reset of any page that shares takes that back. */
interface Shown {
  name: string
  state?: number
  resets: number
  leave: () => void
}

class Page {
  readonly client: StreamClient
  shown: Shown[] = []
  closed = false
  /** The next listener that is called closes the client. */
  closing = false
  calledAfterClose = 0

  constructor(share: string | undefined, linger: number) {
    this.client = newClient({ linger, ...(share !== undefined && { share }) })
    for (let i = 0; i < 2; i++) this.client.onStatus(() => this.#told())
  }

  follow(name: string): void {
    const shown: Shown = { name, resets: 0, leave: () => {} }
    this.shown.push(shown)
    shown.leave = this.client.subscribe<number>(name, {
      state: (state) => {
        this.#told()
        shown.state = state
      },
      problem: () => this.#told(),
      discarded: () => {
        this.#told()
        delete shown.state
        shown.resets++
      },
    })
  }

  close(): void {
    this.closing = false
    this.client.close()
    this.closed = true
    this.shown = []
  }

  #told(): void {
    if (this.closed) this.calledAfterClose++
    if (this.closing) this.close()
  }
}

async function keepsPromises(seed: number, share: string | undefined): Promise<void> {
  const random = randomOf(seed)
  vi.spyOn(Math, 'random').mockImplementation(random)
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!
  const world = new World(random)
  const linger = pick([0, 2_000])
  const newPage = () => new Page(share, linger)
  let pages = share === undefined ? [newPage()] : [newPage(), newPage(), newPage()]
  for (let round = 0; round < 10; round++) {
    for (const page of pages) page.follow(pick(names))
    await calm(world)
    if (random() < 0.5) { // What follows happens in an outage, of which the listeners know.
      world.fate = pick(['turn away', 'refuse', 'hang'])
      world.refused.add(pick(names))
      world.cut(false)
      await wait(5_000)
    }
    const connections = FakeEventSource.all.length
    let [resets, reconnects] = [0, 0]
    // What a page shows that is never the one that calls.
    const [other, ...callers] = share === undefined ? [undefined, ...pages] : pages
    const before = other?.shown.map((shown) => ({ shown, resets: shown.resets }))
    for (let call = 1 + Math.floor(4 * random()); call > 0; call--) {
      const page = pick(callers)
      const name = pick(names)
      const calls = [
        () => page.follow(name),
        () => page.shown.splice(Math.floor(random() * page.shown.length), 1)[0]?.leave(),
        () => {
          page.client.reset()
          resets++
        },
        () => {
          page.client.reconnect()
          reconnects++
        },
        () => void page.client.mutate(name, (state: number) => state, () => Promise.resolve(new Response())),
        () => page.close(),
        () => void (page.closing = true),
        () => {
          page.closing = true
          page.follow(name)
        },
      ]
      if (!page.closed) pick(calls)()
      if (random() < 0.2) await wait(pick([0, 1, 100]))
    }
    world.change(pick(names))
    await calm(world)
    if (resets > 0) for (const { shown, resets } of before ?? []) expect(shown.resets, 'a reset').toBeGreaterThan(resets)
    if (resets + reconnects > 0 && FakeEventSource.active.length > 0) {
      expect(FakeEventSource.all.indexOf(FakeEventSource.active[0]!), 'a connection').toBeGreaterThanOrEqual(connections)
    }
    for (const page of pages) for (const { name, state } of page.shown) expect(state, name).toBe(world.states.get(name))
    for (const { closed, calledAfterClose } of pages) expect(closed ? calledAfterClose : 0, 'a call after close').toBe(0)
    pages = pages.map((page) => (page.closed ? newPage() : page))
    expect(FakeEventSource.active.length).toBe(pages.some(({ shown }) => shown.length > 0) ? 1 : 0)
  }
  for (const page of pages) page.close()
  await wait(10_000) // A shared worker keeps streams for as long.
  expect([FakeEventSource.active.length, locks.held('feedmill-streams page')]).toEqual([0, 0])
}

const seeds = Array.from({ length: 100 }, (_, seed) => seed)

it.each(seeds)('calls that follow each other at once keep their promises (seed %d)', (seed) => keepsPromises(seed, undefined))

it.each(seeds)('so they do where pages share (seed %d)', (seed) => keepsPromises(seed, 'alice'))
