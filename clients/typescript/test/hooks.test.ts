import { act, Activity, createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, it, vi } from 'vitest'
import { linger, newClient, useFakeServer, wait } from './fixture.js'
import { useStream as useReactStream } from '../src/react.js'
import { useStream as useSvelteStream } from '../src/svelte.js'
import { FakeEventSource } from '../src/testing.js'

/** What Svelte has for effects that start and end: `start` runs with the first effect that reads, and what it returns with the end of the last one. */
const effects = vi.hoisted(() => ({ start: () => {}, end: () => {} }))
vi.mock('svelte/reactivity', () => ({
  createSubscriber: (start: (update: () => void) => () => void) => {
    effects.start = () => void (effects.end = start(() => {}))
    return () => {}
  },
}))

useFakeServer()

it('Svelte shows no old state when the stream is followed again', async () => {
  const shown = useSvelteStream<number>(newClient(), 'a')
  effects.start()
  await wait(1)
  FakeEventSource.latest.accept()
  FakeEventSource.latest.send('a', 1)
  expect(shown.state).toBe(1)
  effects.end()
  await wait(linger)
  effects.start()
  expect(shown.state).toBeUndefined()
  await wait(1)
  FakeEventSource.latest.send('a', 2)
  expect(shown.state).toBe(2)
  effects.end()
  effects.start() // The client still has it.
  expect(shown.state).toBe(2)
})

it('React shows no old state when the stream is followed again', async () => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  const client = newClient()
  const Row = () => String(useReactStream<number>(client, 'a').state)
  const element = document.createElement('div')
  const root = createRoot(element)
  const show = (mode: 'visible' | 'hidden') =>
    act(() => root.render(createElement(Activity, { mode, children: createElement(Row) })))
  await show('visible')
  await wait(1)
  FakeEventSource.latest.accept()
  await act(() => FakeEventSource.latest.send('a', 1))
  expect(element.textContent).toBe('1')
  await show('hidden')
  await wait(linger)
  await show('visible')
  expect(element.textContent).toBe('undefined')
  await wait(1)
  await act(() => FakeEventSource.latest.send('a', 2))
  expect(element.textContent).toBe('2')
  await act(() => root.unmount())
})
