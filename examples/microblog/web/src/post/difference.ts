/** A part of two texts that both have, or only one of them. */
export interface DifferencePart {
  text: string
  in: 'both' | 'mine' | 'theirs'
}

/** Texts that differ in more words than this are compared only at their beginnings and ends. */
const mostWords = 1_500

/** Compares two texts word by word. The parts of `both` and of one side joined are the text of that side. */
export function difference(mine: string, theirs: string): DifferencePart[] {
  const a = words(mine)
  const b = words(theirs)
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const parts: DifferencePart[] = []
  const add = (side: DifferencePart['in'], text: string) => {
    const last = parts.at(-1)
    if (!text) return
    if (last?.in === side) last.text += text
    else parts.push({ text, in: side })
  }
  add('both', a.slice(0, start).join(''))
  for (const part of compare(a.slice(start, a.length - end), b.slice(start, b.length - end))) add(part.in, part.text)
  add('both', a.slice(a.length - end).join(''))
  return parts
}

const words = (text: string) => text.match(/\s+|[^\s]+/gu) ?? []

/** Finds a longest common subsequence. */
function* compare(a: readonly string[], b: readonly string[]): Generator<DifferencePart> {
  let i = 0
  let j = 0
  if (a.length <= mostWords && b.length <= mostWords) {
    const width = b.length + 1
    /** The length of the longest common part of a from i and b from j, at i * width + j. */
    const common = new Uint16Array((a.length + 1) * width)
    const at = (x: number, y: number) => common[x * width + y] ?? 0
    for (let x = a.length - 1; x >= 0; x--) {
      for (let y = b.length - 1; y >= 0; y--) {
        common[x * width + y] = a[x] === b[y] ? at(x + 1, y + 1) + 1 : Math.max(at(x + 1, y), at(x, y + 1))
      }
    }
    while (i < a.length && j < b.length) {
      if (a[i] === b[j]) {
        yield { in: 'both', text: a[i] ?? '' }
        i++
        j++
      } else if (at(i + 1, j) >= at(i, j + 1)) yield { in: 'mine', text: a[i++] ?? '' }
      else yield { in: 'theirs', text: b[j++] ?? '' }
    }
  }
  yield { in: 'mine', text: a.slice(i).join('') }
  yield { in: 'theirs', text: b.slice(j).join('') }
}
