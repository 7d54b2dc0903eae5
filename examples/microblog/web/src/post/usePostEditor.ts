import { computed, ref, shallowRef, watch } from 'vue'
import type { Ref } from 'vue'
import { loadPost, updatePost } from '../api/client'
import { asApiError } from '../api/error'
import type { FieldErrors } from '../api/error'
import type { Post, PostDraft } from '../api/types'
import * as editing from './editSession'
import type { EditSession } from './editSession'
import { checkPost } from './limits'

const preconditionFailed = 412

/** Edits the post of `incoming`. Another post starts a new edit. */
export function usePostEditor(incoming: Readonly<Ref<Post | undefined>>) {
  const session = shallowRef<EditSession>()
  const saving = ref(false)
  const savedVersion = ref(0)
  const errors = ref<FieldErrors>({})
  const failure = ref('')
  const dirty = computed(() => !!session.value && editing.isDirty(session.value))

  function receive(post: Post) {
    const current = session.value
    if (current?.base.id !== post.id) session.value = editing.startEditing(post)
    // A version that comes while saving is most likely the user's own change,
    // ahead of the answer. save() handles it afterwards.
    else if (!saving.value) session.value = editing.receiveVersion(current, post)
  }

  watch(incoming, (post) => {
    if (post) receive(post)
    else session.value = undefined
  }, { immediate: true, flush: 'sync' })

  function type(change: Partial<PostDraft>) {
    const current = session.value
    if (current) session.value = { ...current, draft: { ...current.draft, ...change } }
  }

  async function save() {
    const started = session.value
    if (!started || saving.value) return
    failure.value = ''
    errors.value = checkPost(started.draft)
    if (Object.keys(errors.value).length > 0) return
    saving.value = true
    try {
      const { id, version } = started.base
      const post = await updatePost(id, version, started.draft)
      if (session.value?.base.id !== id) return
      session.value = editing.saved(session.value, started.draft, post)
      savedVersion.value = post.version
    } catch (reason) {
      const error = asApiError(reason)
      errors.value = error.fields
      if (error.status === preconditionFailed) await showTheirs(started.base.id)
      else if (Object.keys(error.fields).length === 0) failure.value = error.message
    } finally {
      saving.value = false
      if (incoming.value) receive(incoming.value)
    }
  }

  /** Fetches the conflicting version, which the stream may not have sent yet. */
  async function showTheirs(id: string) {
    try {
      const post = await loadPost(id)
      if (session.value?.base.id === id) session.value = editing.receiveVersion(session.value, post)
    } catch (reason) {
      failure.value = asApiError(reason).message
    }
  }

  function keepMine() {
    if (session.value) session.value = editing.keepMine(session.value)
  }

  function takeTheirs() {
    if (session.value) session.value = editing.takeTheirs(session.value)
  }

  return { session, dirty, saving, savedVersion, errors, failure, type, save, keepMine, takeTheirs }
}
