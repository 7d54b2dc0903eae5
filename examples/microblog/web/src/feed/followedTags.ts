import { readonly, shallowRef } from 'vue'
import { remember, remembered } from '../post/storage'

/** The most tags that one page can have (limits.MaxUnion of the server). */
export const mostTags = 200

/**
 * The most bytes of their names in an address, each with a comma. So the name of their stream, with `tags:`, has at most the
 * 4,096 bytes that the server takes, and an address at most the 8 KB that proxies take.
 */
const mostBytes = 4_090

const key = 'microblog.tags'

/** What the browser has may be by another release, or by a hand. A name that the server refuses would cost the whole page. */
export const isTag = (tag: unknown): tag is string =>
  typeof tag === 'string' && /^[\p{L}\p{N}_\u05f3\u05f4\u3003][^\s,#＃\p{Cc}\p{Cs}]{0,63}$/u.test(tag)

/** Returns the tags of a list that can be followed together, each once and sorted. */
function bounded(list: unknown): readonly string[] {
  const tags = new Set<string>()
  let bytes = 0
  for (const tag of Array.isArray(list) ? list : []) {
    if (!isTag(tag) || tags.has(tag)) continue
    bytes += encodeURIComponent(`${tag},`).length
    if (tags.size === mostTags || bytes > mostBytes) break
    tags.add(tag)
  }
  return [...tags].sort()
}

/** Reads what the windows of the browser have stored, or undefined. */
function stored(): readonly string[] | undefined {
  try {
    const text = remembered(key)
    return text ? bounded(JSON.parse(text)) : undefined
  } catch {
    return []
  }
}

const tags = shallowRef(stored() ?? [])

/** The tags that the user follows, sorted. All windows of the browser have the same. */
export const followedTags = readonly(tags)

window.addEventListener('storage', (event) => {
  if (event.key === key || event.key === null) tags.value = stored() ?? []
})

/** Returns what is followed now. Where nothing can be stored, this window remembers. */
const current = () => stored() ?? tags.value

function change(to: readonly string[]): void {
  tags.value = to
  remember(key, JSON.stringify(to))
}

/** Reports whether there is room to follow a tag. */
export const canFollow = (tag: string): boolean => bounded([...tags.value, tag]).includes(tag)

export function follow(tag: string): void {
  change(bounded([...current(), tag]))
}

export function unfollow(tag: string): void {
  change(current().filter((other) => other !== tag))
}
