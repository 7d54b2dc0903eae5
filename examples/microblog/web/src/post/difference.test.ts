import { expect, it } from 'vitest'
import { difference } from './difference'
import type { DifferencePart } from './difference'

const side = (parts: DifferencePart[], of: 'mine' | 'theirs') =>
  parts.filter((part) => part.in === 'both' || part.in === of).map((part) => part.text).join('')

it('marks the words that differ', () => {
  expect(difference('one two three four', 'one 2 three four five')).toEqual([
    { in: 'both', text: 'one ' },
    { in: 'mine', text: 'two' },
    { in: 'theirs', text: '2' },
    { in: 'both', text: ' three four' },
    { in: 'theirs', text: ' five' },
  ])
})

it.each([
  ['', ''],
  ['', 'all new'],
  ['all gone', ''],
  ['same', 'same'],
  ['a b a b', 'b a b a'],
  ['line\n\nline', 'line\nline'],
  ['w '.repeat(5_000), `${'w '.repeat(2_000)}x ${'v '.repeat(3_000)}`],
])('loses nothing of a pair of texts (%#)', (mine, theirs) => {
  const parts = difference(mine, theirs)
  expect(side(parts, 'mine')).toBe(mine)
  expect(side(parts, 'theirs')).toBe(theirs)
})
