import { expect, it } from 'vitest'
import { initialOf } from './author'

it.each([
  ['ann', 'A'],
  ['  bob', 'B'],
  ['🇬🇧 Ann', '🇬🇧'],
  ['👨‍👩‍👧‍👦 us', '👨‍👩‍👧‍👦'],
  ['e\u0301mile', 'E\u0301'],
  ['émile', 'É'],
  ['ßen', 'ß'],
  ['ﬁne', 'ﬁ'],
  ['किशोर', 'कि'],
  ['', '?'],
  [' ', '?'],
])('the initial of %j is %j', (author, initial) => {
  expect(initialOf(author)).toBe(initial)
})
