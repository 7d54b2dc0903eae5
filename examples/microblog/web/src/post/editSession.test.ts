import { describe, expect, it } from 'vitest'
import { makePost } from '../testing/posts'
import { conflictFields, isDirty, keepMine, receiveVersion, saved, startEditing, takeTheirs } from './editSession'
import type { EditSession } from './editSession'

const first = makePost('1', { title: 'A', content: 'a' })
const second = makePost('1', { title: 'B', content: 'b', version: 2 })
const third = makePost('1', { title: 'C', content: 'c', version: 3 })

function typed(title: string): EditSession {
  return { ...startEditing(first), draft: { title, content: 'a' } }
}

describe('receiveVersion', () => {
  it('follows new versions until something was typed', () => {
    expect(receiveVersion(startEditing(first), second)).toEqual(startEditing(second))
  })

  it('never overwrites typed text', () => {
    const session = receiveVersion(typed('Mine'), second)
    expect(session.draft).toEqual({ title: 'Mine', content: 'a' })
    expect(session.base).toBe(first)
    expect(session.theirs).toBe(second)
  })

  it('shows the newest of several foreign versions', () => {
    expect(receiveVersion(receiveVersion(typed('Mine'), second), third).theirs).toBe(third)
  })

  it('ignores known versions, also late ones', () => {
    const session = receiveVersion(typed('Mine'), third)
    expect(receiveVersion(session, second)).toBe(session)
    expect(receiveVersion(session, first)).toBe(session)
  })

  it('is no conflict if both texts are the same', () => {
    const same = makePost('1', { title: 'Mine', content: 'a', version: 2 })
    expect(receiveVersion(typed('Mine'), same)).toEqual(startEditing(same))
  })
})

describe('changes of different fields', () => {
  const other = makePost('1', { title: 'A', content: 'theirs', version: 2 })

  it('are merged, and are no conflict', () => {
    const session = receiveVersion(typed('Mine'), other)
    expect(session.theirs).toBeUndefined()
    expect(session.draft).toEqual({ title: 'Mine', content: 'theirs' })
    expect(session.base).toBe(other)
    expect(session.merged).toBe(true)
    expect(isDirty(session)).toBe(true)
  })

  it('are merged in a conflict too', () => {
    const conflict = receiveVersion(typed('Mine'), second)
    expect(conflictFields(conflict)).toEqual(['title'])
    expect(keepMine(conflict).draft).toEqual({ title: 'Mine', content: 'b' })
  })
})

describe('a conflict', () => {
  const conflict = receiveVersion(typed('Mine'), second)

  it('can keep the draft, which is saved over the other version', () => {
    const session = keepMine(conflict)
    expect(session.base.version).toBe(2)
    expect(session.draft.title).toBe('Mine')
    expect(session.theirs).toBeUndefined()
  })

  it('can take the other version', () => {
    expect(takeTheirs(conflict)).toEqual(startEditing(second))
  })
})

describe('saved', () => {
  const post = makePost('1', { title: 'Mine', content: 'a', version: 2 })

  it('is clean if nothing was typed since, even if the server trimmed', () => {
    const session = typed('Mine ')
    expect(saved(session, session.draft, post)).toEqual(startEditing(post))
  })

  it('keeps text that was typed while saving', () => {
    const session = saved(typed('Mine, longer'), typed('Mine').draft, post)
    expect(session.draft.title).toBe('Mine, longer')
    expect(isDirty(session)).toBe(true)
  })
})
