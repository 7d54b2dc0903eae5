import { bytes, count } from '../live/figures'

export interface Fault {
  name: string
  title: string
  /** What is done. */
  does: string
  /** What there is to see. */
  expect: string
  /** What the number of strikes counts. */
  struck: (n: number) => string
}

/** What can be broken, for ten seconds (demo.Faults of the server). */
export const faults: Fault[] = [
  {
    name: 'broker',
    title: 'The broker refuses',
    does: 'Nobody takes an event from the relay.',
    expect: 'The outbox fills and windows stand still, but posts are accepted. Afterwards all of it arrives at once.',
    struck: (n) => `${count(n, 'call')} refused`,
  },
  {
    name: 'twice',
    title: 'Every event twice',
    does: 'Each event comes at least twice, shuffled, and old ones come again.',
    expect: 'Nothing to see: a version that is older or known changes nothing, and no post is there twice.',
    struck: (n) => `${count(n, 'event')} repeated`,
  },
  {
    name: 'feeds',
    title: 'The read model fails',
    does: 'Every call of the feeds’ store fails, for projector and pages.',
    expect: 'Windows keep what they show. Events wait; loads are tried again until they succeed.',
    struck: (n) => `${count(n, 'call')} failed`,
  },
  {
    name: 'projector',
    title: 'The projector stops half-way',
    does: 'It applies half of each batch and then fails, as if it were killed there.',
    expect: 'The same batch comes again, until it is applied as a whole. What was applied before stays as it is.',
    struck: (n) => `${count(n, 'batch', 'batches')} stopped half-way`,
  },
  {
    name: 'streams',
    title: 'All streams are cut',
    does: 'Every second the server ends the connections of all windows.',
    expect: 'Windows reconnect by themselves, say what they have, and get the newest state. None goes back.',
    struck: (n) => `${count(n, 'stream')} cut`,
  },
  {
    name: 'slow',
    title: 'A slow window',
    does: 'A window more, which reads a few kilobytes a second.',
    expect: 'It skips states and delays nobody: the milliseconds of the others stay.',
    struck: (n) => `it read ${bytes(n)}`,
  },
]
