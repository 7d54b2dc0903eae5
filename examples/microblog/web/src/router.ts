import { createRouter, createWebHistory } from 'vue-router'
import { allPosts } from './feed/names'
import FeedPage from './pages/FeedPage.vue'
import HomePage from './pages/HomePage.vue'
import NotFoundPage from './pages/NotFoundPage.vue'
import PostPage from './pages/PostPage.vue'
import TagsPage from './pages/TagsPage.vue'

declare module 'vue-router' {
  interface RouteMeta {
    /** The text of the page's link in the navigation. Pages without one are not there. */
    nav?: string
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'home', component: HomePage, meta: { nav: 'Timeline' } },
    { path: '/tags', name: 'tags', component: TagsPage, meta: { nav: 'My tags' } },
    { path: '/two', name: 'two', component: () => import('./pages/TwoPage.vue'), meta: { nav: 'Two windows' } },
    { path: '/live', name: 'live', component: () => import('./live/LivePage.vue'), meta: { nav: 'How it works' } },
    { path: '/feeds/:name', name: 'feed', component: FeedPage, props: true },
    { path: '/posts/:id', name: 'post', component: PostPage, props: true },
    { path: '/:path(.*)*', name: 'not-found', component: NotFoundPage },
  ],
  scrollBehavior: (_to, _from, savedPosition) => savedPosition ?? { top: 0 },
})

// These names no tag has. The page of a feed redirects from other spellings of its name, which the server knows.
router.beforeEach((to) => {
  if (to.name !== 'feed') return true
  const name = String(to.params.name)
  if (name === allPosts) return { name: 'home', replace: true }
  return /[\s#]/.test(name) ? { name: 'not-found', params: { path: ['feeds', name] } } : true
})

// Otherwise the focus stays on the link that was followed, which no longer exists.
router.afterEach((to, from) => {
  if (from.matched.length > 0 && to.path !== from.path) {
    document.getElementById('main')?.focus({ preventScroll: true })
  }
})
