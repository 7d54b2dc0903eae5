import { FakeEventSource } from '@feedmill/streams/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, effectScope } from 'vue'
import App from '../App.vue'
import { router } from '../router'
import { makePage, makePost } from '../testing/posts'
import { startStreams, stopStreams } from '../testing/streams'

let app: ReturnType<typeof createApp>
let root: HTMLElement

beforeEach(async () => {
  startStreams()
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

const settle = () => vi.advanceTimersByTimeAsync(0)
const followed = () => FakeEventSource.active.map((source) => source.streams)
const save = () => root.querySelector<HTMLButtonElement>('[data-testid="post-submit"]')!
const badge = () => root.querySelector<HTMLElement>('[data-testid="connection"]')?.dataset.status

async function visit(path: string) {
  await router.push(path)
  await settle()
}

describe('each page follows what it shows', () => {
  it('over one connection, which resumes when the page changes', async () => {
    await visit('/')
    expect(followed()).toEqual([['feeds']])
    FakeEventSource.latest.send('feeds', { feeds: [{ name: 'café', posts: 1 }] }, 'f1')
    await visit('/feeds/caf%C3%A9')
    expect(FakeEventSource.all).toHaveLength(2)
    expect(followed()).toEqual([['feeds', 'feed:café']])
    expect(FakeEventSource.latest.resumedFrom).toBe('f1')
    // The list is shown at once, without being sent again.
    expect(root.querySelector('[data-feed="café"]')).not.toBeNull()
    FakeEventSource.latest.send('feed:café', makePage(['7']), 'f1p1')
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

describe('the badge', () => {
  it('shows the status of the connection, if there is one', async () => {
    expect(badge()).toBeUndefined()
    await visit('/')
    expect(badge()).toBe('connecting')
    FakeEventSource.latest.accept()
    await settle()
    expect(badge()).toBe('live')
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
    expect(save().disabled).toBe(false)
    FakeEventSource.latest.sendProblem('post:9', 404)
    await settle()
    expect(root.querySelector('[data-testid="post-ended"]')?.textContent).toContain('has been deleted')
    expect(content.isConnected && content.value).toBe('Mine')
    expect(save().disabled).toBe(true)
  })
})
