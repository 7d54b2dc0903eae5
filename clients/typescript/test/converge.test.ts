import { expect, it, vi } from 'vitest'
import { follow, newClient, useFakeServer, wait } from './fixture.js'
import { randomOf } from './random.js'
import { useFakeWorkers } from './sharing.js'
import { calm, names, World } from './world.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()
useFakeWorkers()

type Following = { name: string } & ReturnType<typeof follow>

function expectLastStates(world: World, following: Following[]): void {
  for (const { name, told } of following) {
    const states = told.filter((state) => typeof state === 'number')
    expect(states).toEqual([...states].sort((a, b) => a - b))
    expect(told.at(-1), name).toBe(world.states.get(name))
  }
}

async function converges(seed: number, share: string | undefined): Promise<void> {
  const random = randomOf(seed)
  vi.spyOn(Math, 'random').mockImplementation(random)
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!
  const world = new World(random)
  const options = { linger: pick([0, 2_000]), ...(share !== undefined && { share }) }
  const clients = share === undefined ? [newClient(options)] : [newClient(options), newClient(options), newClient(options)]
  const following: Following[] = []
  const start = (name: string) => following.push({ name, ...follow(pick(clients), name) })
  const leave = () => following.splice(Math.floor(random() * following.length), 1)[0]?.leave()
  const usual = [() => start(pick(names)), leave, leave, () => start(pick(names)), () => wait(3_000 * random())]
  const faults = [
    () => world.cut(random() < 0.3),
    () => void (world.fate = pick(['open', 'turn away', 'refuse', 'hang'] as const)),
    () => void world.refused.add(pick(names)),
    () => world.refused.clear(),
    () => window.dispatchEvent(new Event(pick(['online', 'focus']))),
    () => wait(20_000 * random()),
  ]
  // Few changes show what was lost, many show what goes back.
  const changes = pick([0.02, 0.3])
  const faultless = pick([true, false])
  for (let step = 1; step <= 300; step++) {
    if (random() < changes) world.change(pick(names))
    else await pick(faultless || random() < 0.7 ? usual : faults)()
    await wait(pick([0, 0, 300 * random()]))
    if (step % 10 === 0) world.heartbeat()
    expect(FakeEventSource.active.length).toBeLessThanOrEqual(1)
    if (step % 60 > 0) continue
    await calm(world)
    expectLastStates(world, following)
    const statuses = clients.map(({ status }) => status).filter((status) => status !== 'idle')
    expect(statuses.every((status) => status === 'live')).toBe(true)
    expect(statuses.length > 0).toBe(following.length > 0)
  }
}

const seeds = Array.from({ length: 100 }, (_, seed) => seed)

it.each(seeds)('a page ends on the last states, and never goes back (seed %d)', (seed) => converges(seed, undefined))

it.each(seeds)('pages that share end on the last states, and never go back (seed %d)', (seed) => converges(seed, 'alice'))
