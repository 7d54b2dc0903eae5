import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    environment: 'happy-dom',
    restoreMocks: true,
    unstubGlobals: true,
    testTimeout: 60_000, // Tests have virtual time. A slow machine is not a fault.
  },
})
