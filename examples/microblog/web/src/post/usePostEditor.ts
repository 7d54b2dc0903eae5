import { computed, ref, shallowRef, watch } from 'vue'
import type { Ref } from 'vue'
import { createPost, loadPost, updatePost } from '../api/client'
import { asApiError } from '../api/error'
import type { FieldErrors } from '../api/error'
import type { Post, PostDraft } from '../api/types'
import { useCommand } from '../api/useCommand'
import { keepDraft, keptDraft, useUnsavedWarning } from './drafts'
import * as editing from './editSession'
import type { EditSession } from './editSession'
import { checkPost } from './limits'

const preconditionFailed = 412

const isSession = (value: unknown): value is EditSession =>
  typeof value === 'object' && value !== null && 'base' in value && 'draft' in value

/** Edits the post of `incoming`. What is not saved is kept in the window. */
export function usePostEditor(id: string, incoming: Readonly<Ref<Post | undefined>>) {
  const place = `post.${id}`
  const session = shallowRef(keptDraft(place, isSession))
  const savedVersion = ref(0)
  const errors = ref<FieldErrors>({})
  const failure = ref('')
  const { busy: saving, run, cancel } = useCommand()
  const dirty = computed(() => !!session.value && editing.isDirty(session.value))

  useUnsavedWarning(dirty)

  function become(changed: EditSession | undefined) {
    session.value = changed
    keepDraft(place, dirty.value ? changed : undefined)
  }

  function receive(post: Post) {
    const current = session.value
    if (!current) become(editing.startEditing(post))
    // A version that comes while saving is most likely the user's own change,
    // ahead of the answer. save() handles it afterwards.
    else if (!saving.value) become(editing.receiveVersion(current, post))
  }

  watch(incoming, (post) => post && receive(post), { immediate: true, flush: 'sync' })

  function type(change: Partial<PostDraft>) {
    const current = session.value
    if (current) become({ ...current, draft: { ...current.draft, ...change } })
  }

  async function save() {
    const started = session.value
    if (!started || saving.value) return
    await attempt(started.draft, async (signal) => {
      const post = await updatePost(id, started.base.version, started.draft, signal)
      if (session.value) become(editing.saved(session.value, started.draft, post))
      savedVersion.value = post.version
    })
    if (incoming.value) receive(incoming.value)
  }

  /** Posts the text as a new post, for a post that was deleted. Resolves to it if that was done. */
  async function postAsNew(): Promise<Post | undefined> {
    const started = session.value
    if (!started) return undefined
    return attempt(started.draft, async (signal) => {
      const post = await createPost({ ...started.draft, author: started.base.author }, signal)
      become(undefined)
      return post
    })
  }

  async function attempt<T>(draft: PostDraft, command: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    failure.value = ''
    errors.value = checkPost(draft)
    if (Object.keys(errors.value).length > 0) return undefined
    try {
      return (await run(command))?.value
    } catch (reason) {
      const error = asApiError(reason)
      errors.value = error.fields
      if (error.status === preconditionFailed) await showTheirs()
      else if (Object.keys(error.fields).length === 0) failure.value = error.message
      return undefined
    }
  }

  /** Fetches the conflicting version, which the stream may not have sent yet. */
  async function showTheirs() {
    try {
      const post = await loadPost(id)
      if (session.value) become(editing.receiveVersion(session.value, post))
    } catch (reason) {
      failure.value = asApiError(reason).message
    }
  }

  function keepMine() {
    if (session.value) become(editing.keepMine(session.value))
  }

  function takeTheirs() {
    if (session.value) become(editing.takeTheirs(session.value))
  }

  /** Forgets what is not saved, when the post is deleted here. */
  function discard() {
    become(undefined)
  }

  return { session, dirty, saving, cancel, savedVersion, errors, failure, type, save, postAsNew, keepMine, takeTheirs, discard }
}
