import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [vue()],
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
    proxy: { '/api': 'http://localhost:8080' },
  },
  test: {
    environment: 'happy-dom',
    restoreMocks: true,
    unstubGlobals: true,
  },
})
