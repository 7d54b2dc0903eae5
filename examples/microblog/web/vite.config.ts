import vue from '@vitejs/plugin-vue'
import { defaultClientConditions } from 'vite'
import { defineConfig } from 'vitest/config'

const streamClient = '../../../clients/typescript'

export default defineConfig({
  plugins: [vue()],
  // The stream client of this repository is compiled from its sources.
  resolve: { conditions: ['feedmill-source', ...defaultClientConditions] },
  css: {
    preprocessorOptions: {
      // Bootstrap 5 is written for an older Sass, whose ways still work.
      scss: { quietDeps: true, silenceDeprecations: ['import', 'global-builtin', 'color-functions', 'if-function'] },
    },
  },
  build: {
    // The Go server embeds this folder. public/.gitkeep is copied into it, because
    // the folder must exist for `go build`.
    outDir: 'build',
    emptyOutDir: true,
    // Icons and fonts are not inlined, so that a strict Content-Security-Policy
    // allows them.
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
