import { describe, expect, it, vi } from 'vitest'
import { answer, answers, follow, linger, longestBackoff, newClient, settle, streamsNow, unreachable, useFakeServer, wait } from './fixture.js'
import { FakeEventSource } from '../src/testing.js'

useFakeServer()

describe('a stream', () => {
  it('shows each state to its own listeners', async () => {
    const client = newClient()
    const a = follow(client, 'a')
    const b = follow(client, 'b')
    await settle()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.send('b', 7)
    FakeEventSource.latest.send('a', 2)
    expect(a.told).toEqual([1, 2])
    expect(b.told).toEqual([7])
  })

  it('may have any name of an event', async () => {
    const client = newClient()
    const names = ['feed:ü&=+#', 'feed:日本', 'feed:a b', '__proto__', 'constructor']
    const followed = names.map((name) => follow(client, name))
    await settle()
    expect(streamsNow()).toEqual([names])
    names.forEach((name, i) => FakeEventSource.latest.send(name, i))
    expect(followed.map(({ told }) => told)).toEqual([[0], [1], [2], [3], [4]])
  })

  it.each(['', 'open', 'error', 'message', 'problem', 'append a', '\ud800'])('cannot be named %j', async (name) => {
    const client = newClient()
    expect(() => follow(client, name)).toThrow()
    await settle()
    expect(FakeEventSource.all).toHaveLength(0)
  })

  it('gives a late listener the last state at once', async () => {
    const client = newClient()
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.send('a', 1)
    expect(follow(client, 'a').told).toEqual([1])
    await settle()
    expect(FakeEventSource.all).toHaveLength(1)
  })

  it('is followed until its last listener leaves', async () => {
    const client = newClient()
    const first = follow(client, 'a')
    const second = follow(client, 'a')
    await settle()
    first.leave()
    first.leave()
    await wait(linger * 2)
    FakeEventSource.latest.send('a', 1)
    expect(first.told).toEqual([])
    expect(second.told).toEqual([1])
    second.leave()
    await wait(linger)
    expect(streamsNow()).toEqual([])
    expect(client.status).toBe('idle')
  })
})

describe('a problem', () => {
  it('reaches the listeners of its stream, also late ones, until a state comes', async () => {
    const client = newClient()
    const a = follow(client, 'a')
    const b = follow(client, 'b')
    await settle()
    FakeEventSource.latest.send('b', 1)
    FakeEventSource.latest.send('problem', {
      stream: 'b', type: 'about:blank', status: 404, title: 'Not Found', detail: 'There is no b.', trace: 'x',
    })
    FakeEventSource.latest.send('a', 1)
    const gone = { status: 404, title: 'Not Found', detail: 'There is no b.', trace: 'x' }
    expect(b.told).toEqual([1, expect.objectContaining(gone)])
    // The state is removed: a new listener does not receive it.
    expect(follow(client, 'b').told).toEqual([expect.objectContaining(gone)])
    expect(a.told).toEqual([1])
    FakeEventSource.latest.send('b', 2)
    expect(follow(client, 'b').told).toEqual([2])
  })

  it('is raised by data that is not JSON, and the last state stays', async () => {
    const client = newClient()
    const a = follow(client, 'a')
    await settle()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.sendRaw('a', '<html>')
    const garbled = expect.objectContaining({ status: 0, title: expect.stringContaining('not JSON') })
    expect(a.told).toEqual([1, garbled])
    expect(follow(client, 'a').told).toEqual([1, garbled])
    FakeEventSource.latest.send('a', 2)
    expect(follow(client, 'a').told).toEqual([2])
  })

  it('that cannot be read or names no followed stream is ignored', async () => {
    const client = newClient()
    const a = follow(client, 'a')
    await settle()
    FakeEventSource.latest.sendRaw('problem', '<html>')
    FakeEventSource.latest.send('problem', null)
    FakeEventSource.latest.sendProblem('z', 404)
    FakeEventSource.latest.send('a', 1)
    expect(a.told).toEqual([1])
  })

  it('needs no listener', async () => {
    const client = newClient()
    const state = vi.fn()
    client.subscribe('a', { state })
    await settle()
    FakeEventSource.latest.sendProblem('a', 404)
    FakeEventSource.latest.send('a', 1)
    expect(state).toHaveBeenCalledExactlyOnceWith(1)
  })
})

describe('a listener', () => {
  it('that throws does not affect others, and is reported', async () => {
    const reported = vi.fn()
    vi.stubGlobal('reportError', reported)
    const client = newClient()
    const failure = new Error('mine')
    const fail = () => {
      throw failure
    }
    client.onStatus(fail)
    const statuses: string[] = []
    client.onStatus((status) => statuses.push(status))
    client.subscribe('a', { state: fail, problem: fail })
    const a = follow(client, 'a')
    await settle()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.sendProblem('a', 404)
    expect(a.told).toEqual([1, expect.objectContaining({ status: 404 })])
    expect(statuses).toEqual(['connecting', 'live'])
    expect(reported.mock.calls).toEqual([[failure], [failure], [failure], [failure]])
  })

  it('that leaves, or removes another, ends its calls', async () => {
    const client = newClient()
    const told: string[] = []
    const leaveFirst = client.subscribe('a', {
      state: () => {
        told.push('first')
        leaveFirst()
        leaveSecond()
      },
    })
    const leaveSecond = client.subscribe('a', { state: () => told.push('second') })
    await settle()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.send('a', 2)
    expect(told).toEqual(['first'])
  })

  it('that is added by another receives a state once', async () => {
    const client = newClient()
    const later: unknown[] = []
    client.subscribe('a', {
      state: (value) => value === 1 && client.subscribe('a', { state: (same) => later.push(same) }),
    })
    await settle()
    FakeEventSource.latest.send('a', 1)
    expect(later).toEqual([1])
  })
})

describe('a closed client', () => {
  it('keeps no connection, calls no listener and accepts no subscription', async () => {
    const client = newClient()
    const statuses: string[] = []
    client.onStatus((status) => statuses.push(status))
    const a = follow(client, 'a')
    await settle()
    const source = FakeEventSource.latest
    follow(client, 'c').leave()
    follow(client, 'b')
    client.close()
    a.leave()
    expect(vi.getTimerCount()).toBe(0)
    source.send('a', 1)
    window.dispatchEvent(new Event('online'))
    await wait(linger * 2)
    expect(FakeEventSource.active).toHaveLength(0)
    expect(FakeEventSource.all).toHaveLength(1)
    expect(a.told).toEqual([])
    expect(statuses).toEqual(['connecting', 'idle'])
    expect(() => follow(client, 'a')).toThrow('closed')
  })

  it.each(['connecting', 'reconnecting'])('may be closed by a listener of its status when that is %s', async (when) => {
    const client = newClient()
    client.onStatus((status) => status === when && client.close())
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.cut()
    await settle()
    expect(FakeEventSource.active).toHaveLength(0)
    expect(answers).not.toHaveBeenCalled()
    expect(client.status).toBe('idle')
  })

  it('may be closed by a listener, and then calls no other', async () => {
    const client = newClient()
    client.subscribe('a', { state: () => client.close() })
    const b = follow(client, 'b')
    await settle()
    answers.mockResolvedValue(answer({ a: 1, b: 2 }))
    FakeEventSource.latest.refuse()
    await settle()
    expect(b.told).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('keeps its state while the server fails, and gives both to later listeners', async () => {
    const client = newClient()
    const { told } = follow(client, 'a')
    await settle()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.sendProblem('a', 503)
    const failure = expect.objectContaining({ status: 503 })
    expect(told).toEqual([1, failure])
    const later = follow(client, 'a')
    expect(later.told).toEqual([1, failure])
    FakeEventSource.latest.send('a', 2)
    expect(told.at(-1)).toBe(2)
    expect(follow(client, 'a').told).toEqual([2])
  })
})

describe('a listener that is removed while it is called', () => {
  const withProblem = async () => {
    const client = newClient()
    follow(client, 'a')
    await settle()
    FakeEventSource.latest.accept()
    FakeEventSource.latest.send('a', 1)
    FakeEventSource.latest.sendProblem('a', 503)
    return client
  }

  it('by the end of the client is told no problem', async () => {
    const client = await withProblem()
    const told: string[] = []
    client.subscribe('a', {
      state: () => {
        told.push('state')
        client.close()
      },
      problem: () => told.push('problem'),
    })
    expect(told).toEqual(['state'])
  })

  it('by itself is told no problem', async () => {
    const client = await withProblem()
    const told: string[] = []
    let leave = () => {}
    leave = client.subscribe('a', {
      state: () => {
        told.push('state')
        leave()
      },
      problem: () => told.push('problem'),
    })
    expect(told.splice(0)).toEqual(['state', 'problem'])
    answers.mockImplementation(unreachable)
    FakeEventSource.latest.refuse()
    await settle()
    expect(told.splice(0)).toEqual(['problem'])
    answers.mockImplementation(() => Promise.resolve(answer({})))
    await longestBackoff()
    FakeEventSource.latest.accept()
    expect(told).toEqual(['state'])
  })

  it('by a reset is told no problem of before', async () => {
    const client = await withProblem()
    const told: string[] = []
    client.subscribe('a', {
      state: () => client.reset(),
      problem: () => told.push('problem'),
      discarded: () => told.push('discarded'),
    })
    expect(told).toEqual(['discarded'])
  })
})

describe('a listener of the status that closes the client', () => {
  it('ends it for good, even before it has connected', async () => {
    const client = newClient()
    client.onStatus(() => client.close())
    follow(client, 'a')
    await settle()
    window.dispatchEvent(new Event('pagehide'))
    window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
    await settle()
    expect(streamsNow()).toEqual([])
  })
})
