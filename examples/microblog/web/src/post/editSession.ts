import type { Post, PostDraft } from '../api/types'

/** An edit of one post while others may change it. */
export interface EditSession {
  /** The version of the draft. Saving is conditional on it. */
  readonly base: Post
  readonly draft: PostDraft
  /** A newer version by somebody else, until the user decides. */
  readonly theirs?: Post
}

export function startEditing(post: Post): EditSession {
  return { base: post, draft: { title: post.title, content: post.content } }
}

function sameText(a: PostDraft, b: PostDraft): boolean {
  return a.title === b.title && a.content === b.content
}

export function isDirty(session: EditSession): boolean {
  return !sameText(session.draft, session.base)
}

/** Handles a version from the server. It never overwrites typed text. */
export function receiveVersion(session: EditSession, post: Post): EditSession {
  const known = Math.max(session.base.version, session.theirs?.version ?? 0)
  if (post.version <= known) return session
  if (!isDirty(session) || sameText(session.draft, post)) return startEditing(post)
  return { ...session, theirs: post }
}

/**
 * Handles that the server has saved the `sent` draft as `post`, which it trims. Text
 * that was typed since stays a draft.
 */
export function saved(session: EditSession, sent: PostDraft, post: Post): EditSession {
  if (sameText(session.draft, sent)) return startEditing(post)
  return { base: post, draft: session.draft }
}

/** Keeps the draft as a draft of the other version, so that saving replaces it. */
export function keepMine(session: EditSession): EditSession {
  return session.theirs ? { base: session.theirs, draft: session.draft } : session
}

/** Discards the draft. */
export function takeTheirs(session: EditSession): EditSession {
  return session.theirs ? startEditing(session.theirs) : session
}
