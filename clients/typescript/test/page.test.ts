import { describe, expect, it } from 'vitest'
import { answers, follow, longestBackoff, newClient, settle, streamsNow, unreachable, useFakeServer } from './fixture.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

const dispatch = (type: string, change: object = {}) => window.dispatchEvent(Object.assign(new Event(type), change))

describe('the page', () => {
  it('reconnects when the network comes or goes, and resumes', async () => {
    const client = newClient()
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1, 'a1')
    dispatch('offline')
    dispatch('online')
    expect(FakeEventSource.all).toHaveLength(3)
    expect(FakeEventSource.active).toHaveLength(1)
    expect(FakeEventSource.latest.resumedFrom).toBe('a1')
    // A server on this machine is reachable without a network.
    expect(client.status).toBe('live')
  })

  it('ends a backoff when the network comes', async () => {
    answers.mockImplementation(unreachable)
    follow(newClient(), 'a')
    await settle()
    FakeEventSource.latest.refuse()
    await longestBackoff()
    dispatch('online')
    expect(FakeEventSource.active).toHaveLength(1)
  })

  it('disconnects when it is left, and reconnects when it is restored', async () => {
    const client = newClient()
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1, 'a1')
    dispatch('pagehide')
    expect(FakeEventSource.active).toHaveLength(0)
    dispatch('pageshow', { persisted: false })
    dispatch('online')
    follow(client, 'b')
    await longestBackoff()
    expect(FakeEventSource.active).toHaveLength(0)
    dispatch('pageshow', { persisted: true })
    expect(streamsNow()).toEqual([['a', 'b']])
    expect(FakeEventSource.latest.resumedFrom).toBe('a1')
    expect(client.status).toBe('connecting')
  })

  it('sends no request while it is left', async () => {
    answers.mockImplementation(unreachable)
    follow(newClient(), 'a')
    await settle()
    FakeEventSource.latest.refuse()
    await settle()
    dispatch('pagehide')
    await longestBackoff()
    expect(answers).toHaveBeenCalledTimes(1)
  })

  it('opens no connection while no stream is followed', async () => {
    const client = newClient({ linger: 0 })
    const { leave } = follow(client, 'a')
    await settle()
    leave()
    await settle()
    dispatch('online')
    dispatch('pageshow', { persisted: true })
    expect(FakeEventSource.active).toHaveLength(0)
  })
})
