import type { Report } from '../demo/types'

export type StationName = 'write' | 'outbox' | 'relay' | 'broker' | 'projector' | 'feeds' | 'router' | 'windows'

/** A part that posts pass (live.Station of the server). */
export interface Station {
  name: StationName
  does: string
  runs: string
  else: string
  code: { file: string; name: string }[]
  try?: string
  /** The container that it runs in, if it does. */
  service?: string
}

export interface Step {
  station: StationName
  /** Milliseconds since the request. */
  from: number
  to: number
  note: string
}

/** How far a change of a post has come (live.Way of the server). */
export interface Way {
  id: string
  version: number
  change: 'created' | 'edited' | 'deleted'
  title: string
  tags: string[]
  at: string
  station: StationName
  steps: Step[]
  reads: { key: string; from: number; to: number; written: number }[]
  total: number
}

export interface LiveState {
  ways: Way[]
  /** The metrics of the server by name. */
  metrics: Record<string, number>
  /** Only of a server that was started with -demo. */
  demo?: Report
}
