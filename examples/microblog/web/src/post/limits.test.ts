import { expect, it } from 'vitest'
import { checkPost, countCharacters } from './limits'

it('counts characters, not code units', () => {
  expect(countCharacters('a👍ü')).toBe(3)
})

it('accepts fields at the limits', () => {
  expect(checkPost({ title: '👍'.repeat(200), content: 'x'.repeat(10_000), author: 'a' })).toEqual({})
})

it('names every field that is blank or too long', () => {
  const errors = checkPost({ title: 'x'.repeat(201), content: 'x'.repeat(10_001), author: '' })
  expect(Object.keys(errors)).toEqual(['title', 'content', 'author'])
  expect(errors.content).toBe('At most 10,000 characters.')
})

it('accepts a post without a title', () => {
  expect(checkPost({ title: ' ', content: 'b', author: 'a' })).toEqual({})
})

it('ignores missing fields', () => {
  expect(checkPost({ title: 'a', content: 'b' })).toEqual({})
})
