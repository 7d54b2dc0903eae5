import type { StationName } from './types'

export const milliseconds = (ms: number) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en')} ms`

export const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

/** How many events the server says wait or are parked in the outbox: it counts up to 10,000. */
export const events = (n: number) => (n >= 10_000 ? '10,000 or more' : n.toLocaleString('en'))

export function bytes(n: number): string {
  if (n < 10_000) return `${Math.round(n).toLocaleString('en')} B`
  if (n < 10_000_000) return `${Math.round(n / 1000).toLocaleString('en')} KB`
  return `${(n / 1_000_000).toFixed(1)} MB`
}

/** What the metrics of the server say of a station: the figure, and what is wrong. */
export function gauge(station: StationName, metrics: Record<string, number>): { text: string; wrong?: boolean } {
  const of = (name: string) => metrics[name] ?? 0
  switch (station) {
    case 'outbox': {
      const depth = of('cqrsfeed.outbox.depth')
      const parked = of('cqrsfeed.outbox.parked')
      return { text: `${events(depth)} waiting${parked > 0 ? `, ${events(parked)} parked` : ''}`, wrong: depth > 20 || parked > 0 }
    }
    case 'relay':
      return { text: count(of('cqrsfeed.relay.published'), 'event') }
    case 'broker':
      return { text: 'natspubsub.topic.unread' in metrics ? `${of('natspubsub.topic.unread').toLocaleString('en')} unread` : '' }
    case 'projector': {
      const failures = of('cqrsfeed.projector.failures')
      return { text: failures > 0 ? `${count(failures, 'failure')} so far` : '' }
    }
    case 'feeds':
      return { text: `read ${count(of('ssestream.loads'), 'time')}` }
    case 'router':
      return { text: `sent ${count(of('ssestream.frames'), 'state')}, ${bytes(of('ssestream.io'))}` }
    case 'windows':
      return { text: `${of('ssestream.clients').toLocaleString('en')} open` }
    default:
      return { text: '' }
  }
}
