import vue from '@vitejs/plugin-vue'
import { defaultClientConditions } from 'vite'
import { defineConfig } from 'vitest/config'

const streamClient = '../../../clients/typescript'

export default defineConfig({
  plugins: [vue()],
  // The stream client beside this app is compiled from its sources.
  resolve: { conditions: ['feedmill-source', ...defaultClientConditions] },
  build: {
    // The Go server embeds this folder. public/.gitkeep is copied into it, so
    // that the folder exists for `go build` before anything has been built.
    outDir: 'build',
    emptyOutDir: true,
    // Icons and fonts stay files: the page then runs under a strict
    // Content-Security-Policy.
    assetsInlineLimit: 0,
  },
  server: {
    fs: { allow: ['.', streamClient] },
    proxy: { '/api': 'http://localhost:8080' },
  },
  test: {
    environment: 'happy-dom',
    restoreMocks: true,
    unstubGlobals: true,
  },
})
