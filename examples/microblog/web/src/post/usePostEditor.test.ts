import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, shallowRef } from 'vue'
import type { EffectScope, ShallowRef } from 'vue'
import type { Post } from '../api/types'
import { makePost } from '../testing/posts'
import { usePostEditor } from './usePostEditor'

const answers = vi.fn<typeof fetch>()
let scope: EffectScope
let incoming: ShallowRef<Post | undefined>

beforeEach(() => {
  answers.mockReset()
  vi.stubGlobal('fetch', answers)
  scope = effectScope()
  incoming = shallowRef(makePost('1', { title: 'A' }))
})

afterEach(() => scope.stop())

function open() {
  return scope.run(() => usePostEditor(incoming))!
}

const version = (version: number, title: string) => makePost('1', { title, version })

describe('save', () => {
  it('is no conflict with itself if the stream is faster than the answer', async () => {
    const editor = open()
    // The server trims, so the saved text differs from the typed one.
    editor.type({ title: 'Mine ' })
    answers.mockImplementationOnce(() => {
      incoming.value = version(2, 'Mine')
      expect(editor.session.value?.theirs).toBeUndefined()
      return Promise.resolve(Response.json(version(2, 'Mine')))
    })
    await editor.save()
    expect(editor.session.value?.theirs).toBeUndefined()
    expect(editor.session.value?.base.version).toBe(2)
    expect(editor.dirty.value).toBe(false)
  })

  it('shows both texts after a 412', async () => {
    const editor = open()
    editor.type({ title: 'Mine' })
    answers.mockResolvedValueOnce(new Response(null, { status: 412 }))
    answers.mockResolvedValueOnce(Response.json(version(2, 'Theirs')))
    await editor.save()
    expect(editor.session.value?.draft.title).toBe('Mine')
    expect(editor.session.value?.theirs?.title).toBe('Theirs')
    expect(editor.failure.value).toBe('')
  })

  it('saves over the other version once the user keeps the draft', async () => {
    const editor = open()
    editor.type({ title: 'Mine' })
    incoming.value = version(2, 'Theirs')
    expect(editor.session.value?.theirs?.title).toBe('Theirs')
    editor.keepMine()
    answers.mockResolvedValueOnce(Response.json(version(3, 'Mine')))
    await editor.save()
    expect(answers.mock.calls[0]?.[1]?.headers).toMatchObject({ 'If-Match': '"2"' })
    expect(editor.session.value?.base.version).toBe(3)
  })

  it('sends nothing that the server would refuse', async () => {
    const editor = open()
    editor.type({ title: ' ' })
    await editor.save()
    expect(editor.errors.value.title).toBeTruthy()
    expect(answers).not.toHaveBeenCalled()
  })

  it('shows the failure and keeps the text', async () => {
    const editor = open()
    editor.type({ title: 'Mine' })
    answers.mockRejectedValueOnce(new TypeError('failed to fetch'))
    await editor.save()
    expect(editor.failure.value).toContain('cannot be reached')
    expect(editor.session.value?.draft.title).toBe('Mine')
    expect(editor.saving.value).toBe(false)
  })
})

it('starts over with another post', () => {
  const editor = open()
  editor.type({ title: 'Mine' })
  incoming.value = undefined
  incoming.value = makePost('2')
  expect(editor.session.value?.base.id).toBe('2')
  expect(editor.dirty.value).toBe(false)
})
