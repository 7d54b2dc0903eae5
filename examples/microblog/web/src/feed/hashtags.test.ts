import { describe, expect, it } from 'vitest'
import { feedName, splitContent } from './hashtags'

const tags = (content: string) => splitContent(content).flatMap((part) => part.tag ?? [])

describe('splitContent', () => {
  it('splits text and tags without loss', () => {
    expect(splitContent('Hi #Go, and #sse!')).toEqual([
      { text: 'Hi ' },
      { text: '#Go', tag: 'go' },
      { text: ', and ' },
      { text: '#sse', tag: 'sse' },
      { text: '!' },
    ])
  })

  it.each([
    ['', []],
    ['no tags', []],
    ['#', []],
    ['# go', []],
    ['#go', ['go']],
    ['(#go)', ['go']],
    ['#go#sse', ['go']],
    ['##go', []],
    ['a#b', []],
    ['ä#b', []],
    ['_#b', []],
    ['1#b', []],
    ['http://x/#frag', []],
    ['http://x/a#frag', []],
    ['&#39;', []],
    ['#go\n#sse', ['go', 'sse']],
    ['#snake_case-x', ['snake_case']],
    ['#2024', ['2024']],
    ['-#go', ['go']],
    ['"#go"', ['go']],
    ['#go #GO', ['go', 'go']],
    ['#zürich #日本語 #Привет', ['zürich', '日本語', 'привет']],
    ['#𝒳yz', ['𝒳yz']],
    ['#x²', ['x']],
    ['#٣', ['٣']],
    ['#हिन्दी', ['ह']],
    ['#👍', []],
    ['#go👍', ['go']],
  ])('finds in %j the tags %j', (content, expected) => {
    expect(tags(content)).toEqual(expected)
  })

  it('composes characters first, so that both spellings are one feed', () => {
    expect(tags('#zu\u0308rich')).toEqual(['z\u00fcrich'])
  })

  it('lower-cases character by character', () => {
    expect(tags('#ΟΔΟΣ')).toEqual(['οδοσ'])
    expect(tags('#İx')).toEqual(['ix'])
  })

  it('leaves markup as text', () => {
    expect(splitContent('<img onerror=alert(1)>')).toEqual([{ text: '<img onerror=alert(1)>' }])
  })
})

describe('the feed of a name', () => {
  it.each([
    ['go', 'go'],
    ['Go', 'go'],
    ['E\u0301te', '\u00e9te'],
    ['a b', undefined],
    ['a#b', undefined],
    ['', undefined],
  ])('%j is %j', (name, feed) => {
    expect(feedName(name)).toBe(feed)
  })
})
