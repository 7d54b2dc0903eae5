import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

const conditions = ['feedmill-source', ...defaultServerConditions]

export default defineConfig({
  plugins: [vue(), svelte({ configFile: false })],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: 'happy-dom',
    restoreMocks: true,
    unstubGlobals: true,
    testTimeout: 60_000, // Tests have virtual time. A slow machine is not a fault.
  },
})
