import { computed, reactive, ref, watch } from 'vue'
import { createPost } from '../api/client'
import { asApiError } from '../api/error'
import type { FieldErrors } from '../api/error'
import type { Post } from '../api/types'
import { useCommand } from '../api/useCommand'
import { rememberAuthor, rememberedAuthor } from './author'
import { keepDraft, keptDraft, useUnsavedWarning } from './drafts'
import { checkPost } from './limits'

interface Draft {
  title: string
  content: string
}

const isDraft = (value: unknown): value is Draft =>
  typeof value === 'object' && value !== null && 'title' in value && typeof value.title === 'string' &&
  'content' in value && typeof value.content === 'string'

/** A post that is being written. It is kept in the window under the name of its place until it is posted. */
export function useNewPost(place: string, initialContent = '') {
  const empty = () => ({ title: '', content: initialContent })
  const draft = reactive({ ...(keptDraft(place, isDraft) ?? empty()), author: rememberedAuthor() })
  const errors = ref<FieldErrors>({})
  const failure = ref('')
  const { busy, run, cancel } = useCommand()
  const dirty = computed(() => draft.title !== '' || (draft.content !== initialContent && draft.content.trim() !== ''))

  useUnsavedWarning(dirty)
  watch([() => draft.title, () => draft.content], ([title, content]) => {
    keepDraft(place, dirty.value ? { title, content } : undefined)
  })
  // The message of a field is shown until the field changes.
  for (const field of ['title', 'content', 'author'] as const) {
    watch(
      () => draft[field],
      () => delete errors.value[field],
    )
  }

  /** Sends the post. Resolves to it, or to undefined if there is none. */
  async function submit(): Promise<Post | undefined> {
    if (busy.value) return undefined
    failure.value = ''
    errors.value = checkPost(draft)
    if (Object.keys(errors.value).length > 0) return undefined
    const sent = { ...draft }
    try {
      const done = await run((signal) => createPost(sent, signal))
      if (!done) return undefined
      rememberAuthor(sent.author)
      // What was typed meanwhile stays. The form may be gone, and with it the watch that keeps the draft.
      if (draft.title === sent.title && draft.content === sent.content) {
        Object.assign(draft, empty())
        keepDraft(place, undefined)
      }
      return done.value
    } catch (reason) {
      const error = asApiError(reason)
      errors.value = error.fields
      // A message of the whole form is needed only if no field has one.
      if (Object.keys(error.fields).length === 0) failure.value = error.message
      return undefined
    }
  }

  return { draft, errors, failure, busy, cancel, dirty, submit }
}
