import { describe, expect, it, vi } from 'vitest'
import { answer, answers, follow, linger, newClient, settle, unreachable, useFakeServer, wait } from './fixture.js'
import { randomOf } from './random.js'
import { useFakeWorkers } from './sharing.js'
import { byFetch } from '../src/fetch.js'
import type { Problem, StreamClient } from '../src/index.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()
useFakeWorkers()

/** A response to a write. */
const done = (token?: string) => ({ ok: true, headers: new Headers(token === undefined ? {} : { 'Feedmill-Token': token }) })
const refused = { ok: false, headers: new Headers() }

/** A promise that the test settles. */
function deferred<T>() {
  let resolve!: (value: T) => void
  let reject!: (reason: Error) => void
  const promise = new Promise<T>((...settlers) => ([resolve, reject] = settlers))
  return { promise, resolve, reject }
}

const add = (n: number) => (count: number) => count + n

/** Follows the stream `a`, whose state is 1. */
async function counting() {
  const client = newClient()
  const { told, leave } = follow(client, 'a')
  await settle()
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 1)
  return { client, told, leave }
}

describe('a change', () => {
  it('is shown at once, until the stream has a state with its write', async () => {
    const { client, told } = await counting()
    const write = deferred<ReturnType<typeof done>>()
    const mutated = client.mutate('a', add(10), () => write.promise)
    expect(told).toEqual([1, 11])
    FakeEventSource.latest.send('a', 11) // It has the write, and nobody knows.
    expect(told.at(-1)).toBe(11)
    answers.mockResolvedValueOnce(answer({ a: 11 }))
    write.resolve(done('t/1'))
    await settle()
    expect((await mutated).ok).toBe(true)
    expect(answers.mock.calls.map(([url]) => url)).toEqual(['/api/streams?stream=a&feedmill_token=t%2F1'])
    FakeEventSource.latest.send('a', 12)
    expect(told.at(-1)).toBe(12)
    await wait(60_000)
    expect(answers).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('no network')), 'no network'],
    ['throws', () => { throw new Error('no form') }, 'no form'],
  ])('is taken back when its write %s', async (_, write, message) => {
    const { client, told } = await counting()
    await expect(client.mutate('a', add(10), write)).rejects.toThrow(message)
    expect(told).toEqual([1, 11, 1])
    expect(answers).not.toHaveBeenCalled()
  })

  it('is taken back when its write is refused, and what came meanwhile is shown', async () => {
    const { client, told } = await counting()
    const write = deferred<typeof refused>()
    const mutated = client.mutate('a', add(10), () => write.promise)
    FakeEventSource.latest.send('a', 2)
    write.resolve(refused)
    expect(await mutated).toBe(refused)
    expect(told).toEqual([1, 11, 11, 2])
  })

  it('is shown in the answer until the stream has caught up', async () => {
    const { client, told } = await counting()
    answers.mockResolvedValue(answer({ a: 111 }))
    await client.mutate('a', add(10), () => Promise.resolve(done('t')))
    await settle()
    expect(told).toEqual([1, 11, 111])
    FakeEventSource.latest.send('a', 101) // of the other writer, from before the write
    expect(told.at(-1)).toBe(111)
    FakeEventSource.latest.send('a', 111)
    FakeEventSource.latest.send('a', 112)
    expect(told.at(-1)).toBe(112)
  })

  it('is kept while the write is not in the read model, and while the server is away', async () => {
    const { client, told } = await counting()
    const pending = () => answer({ a: 1 })
    answers
      .mockImplementationOnce(() => Promise.resolve(new Response(pending().body, { headers: { 'Feedmill-Pending': 't' } })))
      .mockImplementationOnce(unreachable)
      .mockResolvedValueOnce(new Response(null, { status: 502 }))
      .mockResolvedValueOnce(new Response(null, { status: 429 }))
      .mockResolvedValueOnce(answer({}, [{ stream: 'a', status: 503, title: 'The state was not loaded in time.' }]))
      .mockResolvedValueOnce(answer({ a: 11 }))
    await client.mutate('a', add(10), () => Promise.resolve(done('t')))
    FakeEventSource.latest.send('a', 1)
    for (let waited = 0; answers.mock.calls.length < 6; waited++) {
      expect(waited).toBeLessThan(250)
      expect(told.at(-1)).toBe(11)
      await wait(200)
    }
    expect(new Set(answers.mock.calls.map(([url]) => url)), 'the token is kept').toEqual(new Set(['/api/streams?stream=a&feedmill_token=t']))
    FakeEventSource.latest.send('a', 11)
    FakeEventSource.latest.send('a', 5)
    expect(told.at(-1)).toBe(5)
  })

  it('is given up when its write does not come within a minute, and not while the server is away', async () => {
    const { client, told } = await counting()
    answers.mockImplementation(unreachable)
    await client.mutate('a', add(10), () => Promise.resolve(done('t')))
    FakeEventSource.latest.send('a', 500)
    await wait(600_000)
    expect(told.at(-1)).toBe(11)
    answers.mockImplementation(() => Promise.resolve(new Response(answer({ a: 500 }).body, { headers: { 'Feedmill-Pending': 't' } })))
    await wait(60_000)
    expect(told.at(-1)).toBe(11)
    await wait(60_000)
    expect(told.at(-1)).toBe(500)
    answers.mockClear()
    await wait(600_000)
    expect(answers).not.toHaveBeenCalled()
  })

  it('is given up when the stream is refused meanwhile', async () => {
    const { client, told } = await counting()
    answers.mockResolvedValueOnce(answer({}, [{ stream: 'a', status: 404, title: 'Not Found' }]))
    await client.mutate('a', add(10), () => Promise.resolve(done('t')))
    FakeEventSource.latest.send('a', 5)
    await settle()
    expect(told.at(-1)).toBe(5)
  })

  it('that takes another one back does not show that again', async () => {
    const { client, told } = await counting()
    answers.mockImplementation(() => Promise.resolve(answer({ a: 11 })))
    const like = client.mutate('a', add(10), () => Promise.resolve(done('like')))
    FakeEventSource.latest.send('a', 1) // It has nothing of the write yet.
    FakeEventSource.latest.send('a', 11)
    answers.mockImplementation(() => Promise.resolve(answer({ a: 1 })))
    const unlike = client.mutate('a', add(-10), () => Promise.resolve(done('unlike')))
    const from = told.length
    await Promise.all([like, unlike])
    await wait(2_000)
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.send('a', 2)
    expect(new Set(told.slice(from))).toEqual(new Set([1, 2]))
    expect(told.at(-1)).toBe(2)
  })

  it('ends with the stream: when that is refused, discarded or left', async () => {
    for (const end of [
      () => FakeEventSource.latest.sendProblem('a', 410),
      (client: StreamClient) => client.reset(),
      (client: StreamClient) => client.close(),
    ]) {
      answers.mockReset()
      const { client, told } = await counting()
      const write = deferred<ReturnType<typeof done>>()
      const mutated = client.mutate('a', add(10), () => write.promise)
      end(client)
      const toldBefore = told.length
      write.resolve(done('t'))
      await mutated
      await wait(5_000)
      expect(answers).not.toHaveBeenCalled()
      expect(told).toHaveLength(toldBefore)
      client.close()
    }
    const { client, leave } = await counting()
    answers.mockImplementation(unreachable)
    await client.mutate('a', add(10), () => Promise.resolve(done('t')))
    leave()
    await wait(linger)
    answers.mockClear()
    await wait(600_000)
    expect(answers).not.toHaveBeenCalled()
  })

  it('ends when a listener that is told that another one is taken back discards the stream', async () => {
    const { client, told } = await counting()
    answers.mockImplementation(() => Promise.resolve(answer({ a: 11 })))
    const [good, bad] = [deferred<ReturnType<typeof done>>(), deferred<typeof refused>()]
    const mutated = [client.mutate('a', add(10), () => good.promise), client.mutate('a', add(100), () => bad.promise)]
    good.resolve(done('t'))
    await mutated[0]
    client.subscribe<number>('a', { state: (state) => state === 11 && client.reset() })
    bad.resolve(refused)
    await mutated[1]
    const toldBefore = told.length
    await wait(5_000)
    expect(answers).not.toHaveBeenCalled()
    expect(told).toHaveLength(toldBefore)
  })

  it('gives up to wait for a stream whose states never equal an answer', async () => {
    const { client, told } = await counting()
    let clock = 1_000
    answers.mockImplementation(() => Promise.resolve(answer({ a: clock++ })))
    await client.mutate('a', add(10), () => Promise.resolve(done('t')))
    FakeEventSource.latest.send('a', 500)
    await wait(60_000)
    expect(answers).toHaveBeenCalledTimes(10)
    expect(told.at(-1)).toBe(500)
  })

  it('that throws is reported, and the write is sent', async () => {
    const report = vi.fn()
    vi.stubGlobal('reportError', report)
    const { client, told } = await counting()
    answers.mockResolvedValue(answer({ a: 11 }))
    await client.mutate('a', () => { throw new Error('no posts') }, () => Promise.resolve(done('t')))
    await settle()
    expect(report).toHaveBeenCalled()
    expect(told.at(-1)).toBe(11)
  })

  it('without a state is only a write', async () => {
    const client = newClient()
    const { told } = follow(client, 'a')
    expect((await client.mutate('a', add(10), () => Promise.resolve(done()))).ok).toBe(true)
    await client.mutate('unknown', add(10), () => Promise.resolve(done()))
    expect(told).toEqual([])
    expect(answers).not.toHaveBeenCalled()
  })

  it('of many at once is asked for with at most 16 tokens', async () => {
    const { client, told } = await counting()
    answers.mockImplementation(() => Promise.resolve(answer({ a: 41 })))
    await Promise.all(Array.from({ length: 40 }, (_, n) => client.mutate('a', add(1), () => Promise.resolve(done(`t${n}`)))))
    await settle()
    const tokens = answers.mock.calls.map(([url]) => new URL(String(url), 'http://test').searchParams.getAll('feedmill_token'))
    expect(tokens.map(({ length }) => length)).toEqual([16, 16, 8])
    expect(new Set(tokens.flat()).size).toBe(40)
    expect(told.at(-1)).toBe(41)
  })
})

it('is seen in its page only, when pages share a connection', async () => {
  const [one, two] = [newClient({ share: 'alice' }), newClient({ share: 'alice' })]
  const here = follow(one, 'a')
  const there = follow(two, 'a')
  await wait(1)
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 1)
  await wait(1)
  answers.mockResolvedValue(answer({ a: 11 }))
  await one.mutate('a', add(10), () => Promise.resolve(done('t')))
  await wait(1)
  expect(here.told).toEqual([1, 11, 11])
  expect(there.told).toEqual([1])
  FakeEventSource.latest.send('a', 11)
  FakeEventSource.latest.send('a', 12)
  await wait(1)
  expect(here.told.at(-1)).toBe(12)
  expect(there.told).toEqual([1, 11, 12])
})

it('is asked for by the transport of the client', async () => {
  const transport = byFetch(() => ({ headers: { Authorization: 'Bearer alice' } }))
  const client = newClient({ transport })
  const { told } = follow(client, 'a')
  const event = 'event: a\nid: 1\ndata: 1\n\n'
  const body = new ReadableStream<Uint8Array>({ start: (body) => body.enqueue(new TextEncoder().encode(event)) })
  answers.mockResolvedValueOnce(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }))
  await settle()
  answers.mockResolvedValueOnce(answer({ a: 11 }))
  await client.mutate('a', add(10), () => Promise.resolve(done('t')))
  await settle()
  expect(told).toEqual([1, 11, 11])
  const [url, init] = answers.mock.calls[1]!
  expect(url).toBe('/api/streams?stream=a&feedmill_token=t')
  expect(new Headers(init?.headers).get('Authorization')).toBe('Bearer alice')
})

type State = readonly string[]

/** A write model, a read model behind it, a stream and plain requests, all of which take their time. */
class World {
  /** What was written, one after the other: an id, or `-` and an id that is removed. */
  readonly written: string[] = []
  /** What the stream has sent. */
  readonly sent = new Set<string>()
  /** How much of it the read model has. */
  #applied = 0
  readonly #random: () => number
  /** The longest delay, in milliseconds. */
  readonly speed: number
  #source: FakeEventSource | undefined
  #sent = -1
  #busy = false

  constructor(random: () => number) {
    this.#random = random
    this.speed = [10, 100, 1_000][Math.floor(3 * random())]!
    const accept = (source: FakeEventSource) => this.#accept(source)
    vi.stubGlobal('EventSource', class extends FakeEventSource {
      constructor(url: string | URL) {
        super(url)
        accept(this)
      }
    })
    answers.mockImplementation((url) => this.#ask(new URL(String(url), 'http://test').searchParams.getAll('feedmill_token')))
  }

  get state(): State {
    const applied = this.written.slice(0, this.#applied)
    return applied.filter((id) => !id.startsWith('-') && !applied.includes('-' + id))
  }

  get caughtUp(): boolean {
    return this.#applied === this.written.length
  }

  /** Takes a time that is mostly short. */
  some = () => new Promise<void>((resolve) => setTimeout(resolve, this.speed * this.#random() ** 3))

  async write(id: string, fate: 'done' | 'refused' | 'lost' | 'unknown') {
    await this.some()
    if (fate === 'refused') return refused
    if (fate === 'lost') throw new Error('lost')
    this.written.push(id)
    void this.some().then(() => this.#apply(this.written.indexOf(id) + 1))
    await this.some()
    if (fate === 'unknown') throw new Error('the response is lost')
    return done(id)
  }

  /** The connection is cut, and comes again. */
  cut(): void {
    const source = this.#source
    if (!source) return
    this.#source = undefined
    source.cut()
    this.#accept(source)
  }

  #apply(count: number): void {
    this.#applied = Math.max(this.#applied, count)
    void this.#send()
  }

  async #accept(source: FakeEventSource): Promise<void> {
    await this.some()
    if (source.readyState === FakeEventSource.CLOSED || this.#source) return
    this.#source = source
    this.#sent = -1
    source.accept()
    void this.#send()
  }

  /** Sends the newest state, one after the other. A load sees the state as of some moment of it. */
  async #send(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    while (this.#source && this.#sent < this.#applied) {
      await this.some()
      const [source, state, applied] = [this.#source, this.state, this.#applied]
      await this.some()
      if (!source || source !== this.#source) continue
      this.#sent = applied
      for (const id of state) this.sent.add(id)
      source.send('log', state)
    }
    this.#busy = false
  }

  async #ask(tokens: string[]): Promise<Response> {
    await this.some()
    const fate = this.#random()
    if (fate < 0.1) throw new TypeError('failed to fetch')
    if (fate < 0.2) return answer({}, [{ stream: 'log', status: fate < 0.15 ? 500 : 503, title: 'Later' }])
    const has = () => tokens.every((token) => this.written.indexOf(token) < this.#applied)
    for (let polls = 0; polls < 3 && !has(); polls++) await this.some()
    const pending = !has()
    const { body, headers } = answer({ log: this.state })
    if (pending) headers.set('Feedmill-Pending', tokens.join())
    await this.some()
    return new Response(body, { headers })
  }
}

async function doesNotFlicker(seed: number): Promise<void> {
  const random = randomOf(seed)
  vi.spyOn(Math, 'random').mockImplementation(random)
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!
  const world = new World(random)
  const client = newClient()
  const shown: State[] = []
  /** What the page has written, unless that failed. */
  const mine = new Set<string>()
  const failed = new Set<string>()
  const others = new Set<string>()
  const removed = new Set<string>()
  client.subscribe<State>('log', {
    state(state) {
      shown.push(state)
      const once = new Set(state)
      expect(state.length, 'nothing is there twice').toBe(once.size)
      for (const id of mine) expect(once, `${id} is shown`).toContain(id)
      for (const id of failed) expect(once, `${id} was taken back`).not.toContain(id)
      for (const id of removed) expect(once, `${id} was removed`).not.toContain(id)
      for (const id of others) expect(once, `${id} does not go again`).toContain(id)
      for (const id of state) if (id.startsWith('other')) others.add(id)
    },
    problem: ({ title }: Problem) => expect.unreachable(title),
  })
  const errors: unknown[] = []
  vi.stubGlobal('reportError', (error: unknown) => errors.push(error))
  void world.write('other-first', 'done')
  await wait(10 * world.speed)
  expect(shown.length).toBeGreaterThan(0)

  let changes = 0
  const mutate = async () => {
    const id = `mine-${changes++}`
    const fate = pick(['done', 'done', 'done', 'refused', 'lost', 'unknown'] as const)
    mine.add(id)
    await client
      .mutate<State, typeof refused>('log', (state) => [...state, id], async () => {
        try {
          const written = await world.write(id, fate)
          if (!written.ok) throw new Error('refused')
          return written
        } catch (error) {
          mine.delete(id)
          if (fate === 'lost' || fate === 'refused') failed.add(id)
          throw error
        }
      })
      .catch(() => {})
  }
  // So states repeat. A page that removes what the stream has not sent yet may see it again.
  const mutateAndRemove = async () => {
    const id = `mine-${changes}`
    void mutate()
    while (mine.has(id) && !world.sent.has(id)) await world.some()
    if (!mine.has(id)) return
    mine.delete(id)
    removed.add(id)
    const fate = pick(['done', 'done', 'refused', 'unknown'] as const)
    await client
      .mutate<State, typeof refused>('log', (state) => state.filter((other) => other !== id), async () => {
        try {
          const written = await world.write('-' + id, fate)
          if (!written.ok) throw new Error('refused')
          return written
        } catch (error) {
          removed.delete(id)
          throw error
        }
      })
      .catch(() => {})
  }
  for (let step = 0; step < 30; step++) {
    const what = random()
    if (what < 0.3) void mutate()
    else if (what < 0.6) void mutateAndRemove()
    else if (what < 0.9) void world.write(`other-${step}`, 'done')
    else world.cut()
    await wait(world.speed * pick([0, random() ** 3, random()]))
  }
  await wait(120_000)
  expect(errors).toEqual([])
  expect(shown.at(-1)).toEqual(world.state)
  expect(world.caughtUp).toBe(true)
  answers.mockClear()
  await wait(60_000)
  expect(answers).not.toHaveBeenCalled()
}

it.each(Array.from({ length: 1_000 }, (_, seed) => seed))('a page does not flicker (seed %d)', (seed) => doesNotFlicker(seed))
