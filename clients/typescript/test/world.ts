import { vi } from 'vitest'
import { answer, answers, wait } from './fixture.js'
import { FakeEventSource } from '../src/testing.js'

export const names = ['a', 'b', 'c', 'd', 'e']

/** A server that resumes by the states in the last id, and a network between it and the page. */
export class World {
  readonly states = new Map(names.map((name) => [name, 0]))
  readonly refused = new Set<string>()
  /** What happens to the next connections. */
  fate: 'open' | 'turn away' | 'refuse' | 'hang' = 'open'
  readonly #open = new Map<FakeEventSource, Map<string, number>>()
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
    const connect = (source: FakeEventSource, id: string) => setTimeout(() => this.#accept(source, id), 20 + 200 * random())
    this.connect = connect
    vi.stubGlobal(
      'EventSource',
      class extends FakeEventSource {
        constructor(url: string | URL) {
          super(url)
          connect(this, this.resumedFrom ?? '')
        }
      },
    )
    answers.mockImplementation(() => {
      if (this.fate !== 'open' && random() < 0.5) return Promise.resolve(new Response(null, { status: 502 }))
      const served = names.filter((name) => !this.refused.has(name))
      const problems = [...this.refused].map((stream) => ({ stream, status: 401, title: 'Unauthorized' }))
      return Promise.resolve(answer(Object.fromEntries(served.map((name) => [name, this.states.get(name)])), problems))
    })
  }

  readonly connect: (source: FakeEventSource, id: string) => void

  change(name: string): void {
    this.states.set(name, this.states.get(name)! + 1)
    for (const [source, has] of this.#open) if (has.has(name)) this.#send(source, has, name)
  }

  /** Ends the connections so that the browser reconnects, or cuts them off without a sign. */
  cut(silently: boolean): void {
    for (const [source, has] of this.#open) {
      this.#open.delete(source)
      if (silently) continue
      source.cut()
      setTimeout(() => this.#accept(source, idOf(has)), 1_000)
    }
  }

  heartbeat(): void {
    for (const source of this.#open.keys()) source.heartbeat()
  }

  #accept(source: FakeEventSource, id: string): void {
    if (source.readyState === FakeEventSource.CLOSED || this.fate === 'hang') return
    if (this.fate === 'refuse') return source.refuse()
    if (this.fate === 'turn away') {
      source.turnAway()
      setTimeout(() => this.#accept(source, id), 1_000)
      return
    }
    const resumed = new Map(id ? id.split(',').map((part) => part.split('=') as [string, string]) : [])
    const has = new Map<string, number>()
    source.accept()
    source.heartbeat(15_000)
    for (const name of source.streams) {
      if (this.refused.has(name)) {
        source.sendProblem(name, 401, 'Unauthorized', idOf(has))
        continue
      }
      has.set(name, Number(resumed.get(name) ?? -1))
    }
    this.#open.set(source, has)
    for (const [name, version] of has) {
      if (version === this.states.get(name)) continue
      // A load takes a while, and sees the state as of its end.
      setTimeout(() => this.#open.has(source) && this.#send(source, has, name), 50 * this.#random())
    }
  }

  #send(source: FakeEventSource, has: Map<string, number>, name: string): void {
    const version = this.states.get(name)!
    if (has.get(name) === version) return
    has.set(name, version)
    source.send(name, version, idOf(has))
  }
}

/** Returns the id of what a client has. */
function idOf(has: Map<string, number>): string {
  return [...has].filter(([, version]) => version >= 0).map((part) => part.join('=')).join(',')
}

/** Ends all faults, and waits until everything has come. */
export async function calm(world: World): Promise<void> {
  world.fate = 'open'
  world.refused.clear()
  for (let i = 0; i < 30; i++) {
    await wait(10_000)
    world.heartbeat()
  }
}
