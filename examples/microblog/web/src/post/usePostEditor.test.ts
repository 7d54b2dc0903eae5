import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, shallowRef } from 'vue'
import type { EffectScope, ShallowRef } from 'vue'
import type { Post } from '../api/types'
import { makePost } from '../testing/posts'
import { usePostEditor } from './usePostEditor'

const answers = vi.fn<typeof fetch>()
let scope: EffectScope
let incoming: ShallowRef<Post | undefined>

beforeEach(() => {
  sessionStorage.clear()
  answers.mockReset()
  vi.stubGlobal('fetch', answers)
  scope = effectScope()
  incoming = shallowRef(makePost('1', { title: 'A' }))
})

afterEach(() => scope.stop())

function open() {
  return scope.run(() => usePostEditor('1', incoming))!
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
    editor.type({ content: ' ' })
    await editor.save()
    expect(editor.errors.value.content).toBeTruthy()
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

describe('what is not saved', () => {
  const reopen = () => {
    scope.stop()
    scope = effectScope()
    return open()
  }

  it('is there again after another page or a reload', () => {
    open().type({ title: 'Mine' })
    const editor = reopen()
    expect(editor.session.value?.draft.title).toBe('Mine')
    expect(editor.dirty.value).toBe(true)
  })

  it('is compared with what was saved meanwhile', () => {
    open().type({ title: 'Mine' })
    incoming = shallowRef(version(2, 'Theirs'))
    expect(reopen().session.value?.theirs?.title).toBe('Theirs')
  })

  it('can be posted as a new post if the post is gone', async () => {
    open().type({ title: 'Mine' })
    incoming = shallowRef(undefined)
    const editor = reopen()
    expect(editor.session.value?.draft.title).toBe('Mine')
    answers.mockResolvedValueOnce(Response.json(makePost('2', { title: 'Mine' })))
    expect((await editor.postAsNew())?.id).toBe('2')
    expect(JSON.parse(String(answers.mock.calls[0]?.[1]?.body))).toEqual({ title: 'Mine', content: 'Content 1', author: 'Ann' })
    expect(reopen().session.value, 'it is posted once').toBeUndefined()
  })

  it('is forgotten when it is saved, also after the page was left', async () => {
    const editor = open()
    editor.type({ title: 'Mine' })
    let arrive: (response: Response) => void = () => undefined
    answers.mockReturnValueOnce(new Promise((resolve) => (arrive = resolve)))
    const saving = editor.save()
    scope.stop()
    arrive(Response.json(version(2, 'Mine')))
    await saving
    incoming = shallowRef(version(2, 'Mine'))
    expect(reopen().dirty.value).toBe(false)
  })

  it('is warned of before the window is closed', async () => {
    const closing = () => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))
    const editor = open()
    expect(closing()).toBe(false)
    editor.type({ title: 'Mine' })
    await nextTick()
    expect(closing()).toBe(true)
    editor.type({ title: 'A' })
    await nextTick()
    expect(closing()).toBe(false)
  })
})

it('can be cancelled while the server does not answer', async () => {
  const editor = open()
  editor.type({ title: 'Mine' })
  answers.mockImplementationOnce((_, init) => new Promise((_, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
  }))
  const saving = editor.save()
  expect(editor.saving.value).toBe(true)
  editor.cancel()
  await saving
  expect(editor.saving.value).toBe(false)
  expect(editor.failure.value).toBe('')
  expect(editor.session.value?.draft.title).toBe('Mine')
})
