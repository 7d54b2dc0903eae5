/** What a demonstration tells (demo.Report of the server). */
export interface Report {
  /** `load`, the name of a fault, or empty if there was none. */
  name: string
  phase: 'writing' | 'settling' | 'auditing' | 'done' | ''
  started: string
  lasts: number
  rate: number
  fault_until: string | null
  accepted: number
  edits: number
  failed: number
  before: number
  in_feed: number
  p50: number
  p99: number
  measured: number
  windows: number
  loads: number
  load_errors: number
  frames: number
  bytes: number
  skipped: number
  struck: number
  most_waiting: number
  audit: { items: number; feeds: number; drifts: number; unsettled: number } | null
  error: string
}
