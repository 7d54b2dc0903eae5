import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import { defaultClientConditions, defineConfig } from 'vite'

const pages = ['vue', 'react', 'svelte']

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [vue(), svelte({ configFile: false })],
  resolve: { conditions: ['feedmill-source', ...defaultClientConditions] },
  build: { emptyOutDir: true, rolldownOptions: { input: pages.map((page) => `${import.meta.dirname}/${page}/index.html`) } },
})
