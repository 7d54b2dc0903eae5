// @vitest-environment node
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { expect, it } from 'vitest'

/** Returns the bytes that a page loads for the modules, compressed by gzip, without the shared worker, which has its own script. */
async function sizeOf(...modules: string[]): Promise<number> {
  const input = 'page.js'
  const page = modules.map((module, i) => `export * as m${i} from ${JSON.stringify(`/src/${module}.ts`)}`).join('\n')
  const built = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === input ? id : undefined),
        load: (id) => (id === input ? page : undefined),
      },
    ],
    build: { write: false, rolldownOptions: { input, preserveEntrySignatures: 'strict', external: ['vue', 'react', /^svelte/] } },
  })
  if (!('output' in built)) throw new Error('expected one output')
  const entry = built.output.find((chunk) => chunk.type === 'chunk' && chunk.isEntry)
  if (entry?.type !== 'chunk') throw new Error('expected an entry')
  return gzipSync(entry.code, { level: 9 }).length
}

it('the client has at most 6 KB, and its parts little more', async () => {
  const core = await sizeOf('index')
  const added = async (part: string) => (await sizeOf('index', part)) - core
  expect(core).toBeLessThanOrEqual(6 * 1024)
  expect(await added('fetch')).toBeLessThanOrEqual(1_024)
  for (const framework of ['vue', 'react', 'svelte']) expect(await added(framework)).toBeLessThanOrEqual(512)
})
