import { expect, it } from 'vitest'
import { contentParts } from './contentParts'

it('makes links of the places that the server tells', () => {
  const content = '👍 #Go, and #sse!'
  expect(contentParts(content, [{ tag: 'go', start: 3, end: 6 }, { tag: 'sse', start: 12, end: 16 }])).toEqual([
    { text: '👍 ' },
    { text: '#Go', tag: 'go' },
    { text: ', and ' },
    { text: '#sse', tag: 'sse' },
    { text: '!' },
  ])
})

it('makes no link of half a hashtag', () => {
  expect(contentParts('a #g', [{ tag: 'go', start: 2, end: 5 }])).toEqual([{ text: 'a #g' }])
})

it('shows what is between backticks as code', () => {
  expect(contentParts('see `api/write.go` and #go', [{ tag: 'go', start: 23, end: 26 }])).toEqual([
    { text: 'see ' },
    { text: 'api/write.go', code: true },
    { text: ' and ' },
    { text: '#go', tag: 'go' },
  ])
  expect(contentParts('`#go`', [{ tag: 'go', start: 1, end: 4 }])).toEqual([{ text: '`' }, { text: '#go', tag: 'go' }, { text: '`' }])
})

it('leaves markup as text', () => {
  expect(contentParts('<img onerror=alert(1)>', [])).toEqual([{ text: '<img onerror=alert(1)>' }])
})
