import type { Post, PostDraft } from '../api/types'

/** An edit of one post while others may change it. */
export interface EditSession {
  /** The version of the draft. Saving is conditional on it. */
  readonly base: Post
  readonly draft: PostDraft
  /** A newer version by somebody else that changed a field that the draft changes too, until the user decides. */
  readonly theirs?: Post
  /** Whether the draft has a change by somebody else to another field. */
  readonly merged?: boolean
}

export const draftFields = ['title', 'content'] as const

export function startEditing(post: Post): EditSession {
  return { base: post, draft: { title: post.title, content: post.content } }
}

function sameText(a: PostDraft, b: PostDraft): boolean {
  return draftFields.every((field) => a[field] === b[field])
}

export function isDirty(session: EditSession): boolean {
  return !sameText(session.draft, session.base)
}

/** Handles a version from the server. It never overwrites typed text. */
export function receiveVersion(session: EditSession, post: Post): EditSession {
  const known = Math.max(session.base.version, session.theirs?.version ?? 0)
  if (post.version <= known) return session
  if (!isDirty(session) || sameText(session.draft, post)) return startEditing(post)
  const received = { ...session, theirs: post }
  return conflictFields(received).length > 0 ? received : keepMine(received)
}

/** Returns the fields that both the draft and the other version have changed, and not to the same. */
export function conflictFields({ base, draft, theirs }: EditSession): (keyof PostDraft)[] {
  if (!theirs) return []
  return draftFields.filter(
    (field) => draft[field] !== base[field] && theirs[field] !== base[field] && draft[field] !== theirs[field],
  )
}

/**
 * Handles that the server has saved the `sent` draft as `post`, which it trims. Text
 * that was typed since stays a draft.
 */
export function saved(session: EditSession, sent: PostDraft, post: Post): EditSession {
  if (sameText(session.draft, sent)) return startEditing(post)
  return { base: post, draft: session.draft }
}

/** Keeps what the user changed, as a draft of the other version. Fields that the user did not change are theirs. */
export function keepMine({ base, draft, theirs, merged }: EditSession): EditSession {
  if (!theirs) return { base, draft, merged }
  const kept = { ...draft }
  for (const field of draftFields) if (draft[field] === base[field]) kept[field] = theirs[field]
  return { base: theirs, draft: kept, merged: merged || !sameText(kept, draft) }
}

/** Discards the draft. */
export function takeTheirs(session: EditSession): EditSession {
  return session.theirs ? startEditing(session.theirs) : session
}
