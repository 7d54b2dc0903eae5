import { FakeEventSource } from '@feedmill/streams/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, effectScope } from 'vue'
import App from '../App.vue'
import { router } from '../router'
import { makePage, makePost } from '../testing/posts'
import { connected, startStreams, stopStreams } from '../testing/streams'

let app: ReturnType<typeof createApp>
let root: HTMLElement
const answers = vi.fn<typeof fetch>()

beforeEach(async () => {
  startStreams()
  sessionStorage.clear()
  answers.mockReset()
  vi.stubGlobal('fetch', answers)
  vi.stubGlobal('scrollTo', () => undefined)
  root = document.body.appendChild(document.createElement('div'))
  app = createApp(App).use(router)
  await router.replace('/elsewhere')
  app.mount(root)
})

afterEach(() => {
  app.unmount()
  root.remove()
  stopStreams(effectScope())
})

/** Lets the page show what it was sent. */
const settle = () => vi.advanceTimersByTimeAsync(150)
const followed = () => FakeEventSource.active.map((source) => source.streams)
const save = () => root.querySelector<HTMLButtonElement>('[data-testid="post-submit"]')!
const badge = () => root.querySelector<HTMLElement>('[data-testid="connection"]')?.dataset.status

async function visit(path: string) {
  await router.push(path)
  await connected()
}

describe('each page follows what it shows', () => {
  it('over one connection, which resumes when the page changes', async () => {
    await visit('/')
    expect(followed()).toEqual([['feeds', 'feed:~all']])
    FakeEventSource.latest.send('feeds', { feeds: [{ name: 'café', posts: 1 }] }, 'f1')
    await visit('/feeds/caf%C3%A9')
    expect(FakeEventSource.all).toHaveLength(2)
    expect(followed()).toEqual([['feeds', 'feed:café', 'feed:~all']])
    expect(FakeEventSource.latest.resumedFrom).toBe('f1')
    // The list is shown at once, without being sent again.
    expect(root.querySelector('[data-feed="café"]')).not.toBeNull()
    FakeEventSource.latest.send('feed:café', { ...makePage(['7']), name: 'café' }, 'f1p1')
    await settle()
    expect(root.querySelector('[data-post="7"]')).not.toBeNull()

    await visit('/posts/7')
    expect(FakeEventSource.all).toHaveLength(3)
    expect(followed()[0]).toContain('post:7')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(followed()).toEqual([['post:7']])
  })

  it('and needs no reconnect when the user goes back', async () => {
    await visit('/')
    FakeEventSource.latest.send('feeds', { feeds: [] })
    await visit('/feeds/go')
    FakeEventSource.latest.send('feed:go', makePage(['7']))
    await visit('/')
    await visit('/feeds/go')
    expect(FakeEventSource.all).toHaveLength(2)
    expect(root.querySelector('[data-post="7"]')).not.toBeNull()
  })
})

it('leads from another spelling of a tag to its feed', async () => {
  await visit('/feeds/GO')
  FakeEventSource.latest.send('feed:GO', makePage(['7']))
  await settle()
  expect(router.currentRoute.value.path).toBe('/feeds/go')
  await visit('/feeds/~all')
  expect(router.currentRoute.value.path).toBe('/')
})

describe('the badge', () => {
  it('shows the status of the connection, if there is one', async () => {
    expect(badge()).toBeUndefined()
    await visit('/')
    expect(badge()).toBe('connecting')
    FakeEventSource.latest.accept()
    await settle()
    expect(badge()).toBe('live')
  })

  it('and the page say when a part of it is out of date', async () => {
    const notices = () => [...root.querySelectorAll('[data-testid="problem"]')].map((notice) => notice.textContent)
    await visit('/feeds/go')
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('feeds', { feeds: [{ name: 'go', posts: 1 }], next: '' })
    FakeEventSource.latest.send('feed:go', makePage(['7']))
    await settle()
    expect([badge(), notices()]).toEqual(['live', []])
    FakeEventSource.latest.sendProblem('feed:go', 503, 'Service Unavailable')
    await settle()
    expect([badge(), notices()]).toEqual(['outdated', ['Service Unavailable']])
    expect(root.querySelector('[data-post="7"]'), 'the last state stays').not.toBeNull()
    FakeEventSource.latest.sendProblem('feeds', 500, 'Internal Server Error')
    FakeEventSource.latest.send('feed:go', makePage(['7']))
    await settle()
    expect([badge(), notices()]).toEqual(['outdated', ['Internal Server Error']])
    FakeEventSource.latest.send('feeds', { feeds: [{ name: 'go', posts: 1 }], next: '' })
    await settle()
    expect([badge(), notices()]).toEqual(['live', []])
    FakeEventSource.latest.sendProblem('feed:go', 503, 'Service Unavailable')
    FakeEventSource.latest.cut()
    await settle()
    expect([badge(), notices()]).toEqual(['reconnecting', []])
    await visit('/')
    FakeEventSource.latest.accept()
    await settle()
    expect([badge(), notices()], 'what was left has no problems').toEqual(['live', []])
  })

  it('is not changed by a refusal', async () => {
    await visit('/posts/9')
    FakeEventSource.latest.accept()
    FakeEventSource.latest.sendProblem('post:9', 404)
    await settle()
    expect(badge()).toBe('live')
  })
})

describe('the list of feeds', () => {
  const rows = () => [...root.querySelectorAll<HTMLElement>('[data-testid="feed"]')].map((row) => row.dataset.feed)
  const feeds = (...names: string[]) => names.map((name, i) => ({ name, posts: i + 1 }))

  it('is sorted by posts if it is complete', async () => {
    await visit('/')
    FakeEventSource.latest.send('feeds', { feeds: feeds('a', 'b'), next: '' })
    await settle()
    expect(rows()).toEqual(['b', 'a'])
    expect(root.querySelector('[data-testid="more-feeds"]')).toBeNull()
  })

  it('goes on by name, while its beginning follows', async () => {
    await visit('/')
    FakeEventSource.latest.send('feeds', { feeds: feeds('a', 'c', 'd'), next: 'd' })
    await settle()
    expect(rows()).toEqual(['a', 'c', 'd'])
    answers.mockResolvedValueOnce(Response.json({ feeds: feeds('e', 'f'), next: 'f' }))
    const more = root.querySelector<HTMLButtonElement>('[data-testid="more-feeds"]')!
    more.click()
    await settle()
    expect(answers.mock.calls[0]?.[0]).toBe('/api/feeds?cursor=d')
    expect(rows()).toEqual(['a', 'c', 'd', 'e', 'f'])
    FakeEventSource.latest.send('feeds', { feeds: feeds('a', 'b', 'c'), next: 'c' })
    await settle()
    expect(rows(), 'd is behind the beginning now').toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    FakeEventSource.latest.send('feeds', { feeds: feeds('b', 'c', 'e'), next: 'e' })
    await settle()
    expect(rows(), 'a and d are gone').toEqual(['b', 'c', 'e', 'f'])
    answers.mockResolvedValueOnce(Response.json({ title: 'Service Unavailable' }, { status: 503 }))
    more.click()
    await settle()
    expect(rows()).toEqual(['b', 'c', 'e', 'f'])
    answers.mockResolvedValueOnce(Response.json({ feeds: feeds('g'), next: '' }))
    more.click()
    await settle()
    expect(rows()).toEqual(['b', 'c', 'e', 'f', 'g'])
    expect(answers.mock.calls.map(([path]) => path).slice(1)).toEqual(['/api/feeds?cursor=f', '/api/feeds?cursor=f'])
    expect(root.querySelector('[data-testid="more-feeds"]')).toBeNull()
  })

  it('leads to feeds that are not loaded', async () => {
    await visit('/')
    FakeEventSource.latest.send('feeds', { feeds: feeds(...'abcdefghij'), next: 'j' })
    await settle()
    const filter = root.querySelector<HTMLInputElement>('input[type="search"]')!
    filter.value = '#Zebra'
    filter.dispatchEvent(new Event('input'))
    await settle()
    expect(rows()).toEqual([])
    expect(root.querySelector<HTMLAnchorElement>('[data-testid="open-feed"]')?.pathname).toBe('/feeds/zebra')
  })
})

describe('the form on the page of a feed', () => {
  const posted = (content: string, tags: string[]) => {
    answers.mockResolvedValueOnce(Response.json(makePost('8', { content, tags }), { status: 201 }))
    root.querySelector<HTMLButtonElement>('[data-testid="post-random"]')!.click()
    return settle()
  }
  const says = (testID: string) => root.querySelector(`[data-testid="${testID}"]`)?.textContent?.trim()

  it('says when the feed has shown the post', async () => {
    await visit('/feeds/go')
    FakeEventSource.latest.send('feed:go', makePage([]))
    await posted('Hello #go', ['go'])
    expect(says('took')).toBeUndefined()
    FakeEventSource.latest.send('feed:go', makePage(['8']))
    await vi.waitFor(() => expect(says('took')).toMatch(/shown after \d+ ms/))
    expect(says('elsewhere')).toBeUndefined()
  })

  it('says that the feed will not show the post', async () => {
    await visit('/feeds/go')
    FakeEventSource.latest.send('feed:go', makePage([]))
    await posted('Hello #vue', ['vue'])
    expect(says('elsewhere')).toBe('· not in #go')
  })
})

describe('the page that shows how it works', () => {
  const stations = (service?: string) => [{ name: 'broker', does: '', runs: '', else: '', code: [], service }]
  const shown = async (service?: string) => {
    answers.mockImplementation(async (path) => (path === '/readyz' ? new Response('ready') : Response.json(stations(service))))
    await visit('/live')
    FakeEventSource.all.find((source) => source.streams.includes('live'))?.send('live', { ways: [], metrics: {} })
    await settle()
    return root.textContent
  }

  it('says that it shows one instance, where there can be several', async () => {
    expect(await shown('nats')).toContain('Of several instances this page shows one')
  })

  it('says nothing of instances without a broker', async () => {
    const text = await shown()
    expect(text).toContain('Every post takes this way')
    expect(text).not.toContain('instances')
  })
})

describe('my tags', () => {
  const button = () => root.querySelector<HTMLButtonElement>('[data-testid="follow"]')
  const posts = () => [...root.querySelectorAll<HTMLElement>('[data-post]')].map((card) => card.dataset.post)

  afterEach(() => {
    localStorage.clear()
    window.dispatchEvent(new StorageEvent('storage', { key: null }))
  })

  async function press(tag: string, says: string) {
    await visit(`/feeds/${tag}`)
    expect(button(), 'nothing is known of the feed').toBeNull()
    FakeEventSource.latest.send(`feed:${tag}`, { ...makePage(['7']), name: tag })
    await settle()
    button()!.click()
    await settle()
    expect(button()!.textContent).toBe(says)
  }

  it('says what to do while no tag is followed', async () => {
    await visit('/tags')
    expect(followed()).toEqual([['feeds']])
    expect(root.querySelector('.layout-posts')?.textContent).toMatch('Open a feed')
  })

  it('is one list, of the tags that are followed', async () => {
    await press('sse', 'Unfollow #sse')
    await press('go', 'Unfollow #go')
    await visit('/tags')
    expect(followed()[0]).toContain('tags:go,sse')
    FakeEventSource.latest.send('tags:go,sse', { ...makePage(['9', '8'], 'c8'), name: '', count: 0 })
    await settle()
    expect(posts()).toEqual(['9', '8'])
    answers.mockResolvedValueOnce(Response.json({ ...makePage(['7']), name: '', count: 0 }))
    root.querySelector<HTMLButtonElement>('[data-testid="load-older"]')!.click()
    await settle()
    expect(answers.mock.calls.at(-1)?.[0]).toBe('/api/posts?tags=go%2Csse&cursor=c8')
    expect(posts()).toEqual(['9', '8', '7'])

    localStorage.setItem('microblog.tags', '["go"]')
    window.dispatchEvent(new StorageEvent('storage', { key: 'microblog.tags' }))
    await connected()
    FakeEventSource.latest.send('tags:go', { ...makePage(['9']), name: '', count: 0 })
    await settle()
    expect(posts(), 'another window has unfollowed the other').toEqual(['9'])
  })

  it('says when it has shown a post', async () => {
    await press('go', 'Unfollow #go')
    await visit('/tags')
    FakeEventSource.latest.send('tags:go', makePage([]))
    answers.mockResolvedValueOnce(Response.json(makePost('8'), { status: 201 }))
    root.querySelector<HTMLButtonElement>('[data-testid="post-random"]')!.click()
    await settle()
    FakeEventSource.latest.send('tags:go', makePage(['8']))
    await vi.waitFor(() => expect(root.querySelector('[data-testid="took"]')?.textContent).toMatch(/shown after \d+ ms/))
  })
})

describe('the page of a post', () => {
  it('shows at once that there is no such post', async () => {
    await visit('/posts/9')
    FakeEventSource.latest.sendProblem('post:9', 404)
    await settle()
    expect(root.textContent).toContain('There is no such post')
  })

  it('keeps the typed text when the post is deleted', async () => {
    await visit('/posts/9')
    FakeEventSource.latest.send('post:9', makePost('9', { content: 'Theirs' }))
    await settle()
    expect(root.querySelector('[data-testid="post-ended"]')).toBeNull()
    const content = root.querySelector<HTMLTextAreaElement>('[data-testid="post-content"]')!
    content.value = 'Mine'
    content.dispatchEvent(new Event('input'))
    await settle()
    expect(save().getAttribute('aria-disabled')).toBeNull()
    FakeEventSource.latest.sendProblem('post:9', 404)
    await settle()
    expect(root.querySelector('[data-testid="post-ended"]')?.textContent).toContain('has been deleted')
    expect(content.isConnected && content.value).toBe('Mine')
    answers.mockClear()
    root.querySelector('form')?.dispatchEvent(new Event('submit'))
    root.querySelector('form')?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true }))
    await settle()
    expect(answers, 'nothing is posted by accident').not.toHaveBeenCalled()
    expect(save().getAttribute('aria-disabled')).toBe('true')
  })
})
