import 'bootstrap/dist/css/bootstrap.min.css'
import './app.css'
import { createApp } from 'vue'
import App from './App.vue'
import { router } from './router'
import { followColorScheme } from './theme'

followColorScheme()
createApp(App).use(router).mount('#app')
