// @vitest-environment node
import { createElement } from 'react'
import { renderToString as renderReact } from 'react-dom/server'
import type { Component as SvelteComponent } from 'svelte'
import { render as renderSvelte } from 'svelte/server'
import { expect, it, vi } from 'vitest'
import { createSSRApp } from 'vue'
import type { Component as VueComponent } from 'vue'
import { renderToString as renderVue } from 'vue/server-renderer'
import { App } from '../examples/react/App.js'
import { streams } from '../examples/streams.js'

const load = async <T>(file: string) => ((await import(/* @vite-ignore */ file)) as { default: T }).default

it.each([
  ['Vue', async () => renderVue(createSSRApp(await load<VueComponent>('../examples/vue/App.vue')))],
  ['React', () => renderReact(createElement(App))],
  ['Svelte', async () => renderSvelte(await load<SvelteComponent>('../examples/svelte/App.svelte')).body],
])('%s renders the page of a server without a stream', async (_, render) => {
  const subscribe = vi.spyOn(streams, 'subscribe')
  const page = await render()
  expect(page.replace(/<!--.*?-->/g, '')).toMatch(/Row 1: ….*Mine: …/s)
  expect(subscribe).not.toHaveBeenCalled()
  expect(streams.status).toBe('idle')
})
