import { expect, it } from 'vitest'
import { excerpt, nameOf } from './excerpt'

it('leaves a short content whole', () => {
  expect(excerpt('a\nb')).toBeUndefined()
  expect(excerpt('x'.repeat(400))).toBeUndefined()
})

it('ends a long content after a word', () => {
  const content = 'words '.repeat(100)
  expect(excerpt(content)).toBe('words '.repeat(66).trimEnd())
})

it('shows a few lines', () => {
  expect(excerpt('line\n'.repeat(20))?.split('\n')).toHaveLength(8)
})

it('cuts no character', () => {
  const family = '👨‍👩‍👧‍👦'
  const short = excerpt(family.repeat(100)) ?? ''
  expect(short.length).toBeLessThanOrEqual(400)
  expect(short.length % family.length).toBe(0)
})

it('ends where one character has no end', () => {
  expect(excerpt(`a${'\u0301'.repeat(5_000)}`)).toHaveLength(400)
})

it('names a post by its title, or by its beginning', () => {
  expect(nameOf({ title: 'Title', content: 'c' })).toBe('Title')
  expect(nameOf({ title: '', content: 'First line\nsecond' })).toBe('First line')
  expect(nameOf({ title: '', content: 'word '.repeat(30) })).toBe(`${'word '.repeat(12).trimEnd()}…`)
})
