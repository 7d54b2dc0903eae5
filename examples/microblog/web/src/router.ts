import { createRouter, createWebHistory } from 'vue-router'
import { feedName } from './feed/hashtags'
import FeedPage from './pages/FeedPage.vue'
import HomePage from './pages/HomePage.vue'
import NotFoundPage from './pages/NotFoundPage.vue'
import PostPage from './pages/PostPage.vue'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'home', component: HomePage },
    { path: '/feeds/:name', name: 'feed', component: FeedPage, props: true, beforeEnter: (to) => toFeed(String(to.params.name)) },
    { path: '/posts/:id', name: 'post', component: PostPage, props: true },
    { path: '/:path(.*)*', name: 'not-found', component: NotFoundPage },
  ],
  scrollBehavior: (_to, _from, savedPosition) => savedPosition ?? { top: 0 },
})

/** Redirects a tag to the name of its feed, in lower case. A name that is not a hashtag is not a feed. */
function toFeed(name: string) {
  const feed = feedName(name)
  if (feed === name) return true
  if (feed === undefined) return { name: 'not-found', params: { path: ['feeds', name] } }
  return { name: 'feed', params: { name: feed }, replace: true }
}

// Otherwise the focus stays on the link that was followed, which no longer exists.
router.afterEach((to, from) => {
  if (from.matched.length > 0 && to.path !== from.path) {
    document.getElementById('main')?.focus({ preventScroll: true })
  }
})
