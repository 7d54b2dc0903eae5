import type { Post, PostDraft } from '../api/types'

/** The editing of one post while others may change it. */
export interface EditSession {
  /** The version the draft was made from; saving is guarded by it. */
  readonly base: Post
  readonly draft: PostDraft
  /** A newer version by somebody else that the user has not decided about. */
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

/** A version arrived. It never overwrites what the user has typed. */
export function receiveVersion(session: EditSession, post: Post): EditSession {
  const known = Math.max(session.base.version, session.theirs?.version ?? 0)
  if (post.version <= known) return session
  if (!isDirty(session) || sameText(session.draft, post)) return startEditing(post)
  return { ...session, theirs: post }
}

/**
 * The draft that was `sent` is now saved as `post`, in the server's spelling (it trims).
 * What was typed since stays a draft.
 */
export function saved(session: EditSession, sent: PostDraft, post: Post): EditSession {
  if (sameText(session.draft, sent)) return startEditing(post)
  return { base: post, draft: session.draft }
}

/** The user wants the own text: it is now made from the other version, and replaces it when saved. */
export function keepMine(session: EditSession): EditSession {
  return session.theirs ? { base: session.theirs, draft: session.draft } : session
}

/** The user gives the own text up. */
export function takeTheirs(session: EditSession): EditSession {
  return session.theirs ? startEditing(session.theirs) : session
}
