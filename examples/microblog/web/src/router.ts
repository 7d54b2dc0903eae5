import { createRouter, createWebHistory } from 'vue-router'
import FeedPage from './pages/FeedPage.vue'
import HomePage from './pages/HomePage.vue'
import NotFoundPage from './pages/NotFoundPage.vue'
import PostPage from './pages/PostPage.vue'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'home', component: HomePage },
    { path: '/feeds/:name', name: 'feed', component: FeedPage, props: true },
    { path: '/posts/:id', name: 'post', component: PostPage, props: true },
    { path: '/:path(.*)*', name: 'not-found', component: NotFoundPage },
  ],
  scrollBehavior: (_to, _from, savedPosition) => savedPosition ?? { top: 0 },
})

// Without this the keyboard stays on the link that was followed, which is gone.
router.afterEach((to, from) => {
  if (from.matched.length > 0 && to.path !== from.path) {
    document.getElementById('main')?.focus({ preventScroll: true })
  }
})
