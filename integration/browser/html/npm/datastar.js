// Datastar 1 is not on npm. For the test, the last version that is there stands for it: it reads streams and changes pages in
// the same way, under other names, which this translates. That version does not know `retry: 'always'`.
await import('/npm/@starfederation/datastar/dist/datastar.js')

for (const element of document.querySelectorAll('[data-init]')) {
  element.setAttribute('data-on-load', element.getAttribute('data-init'))
}
document.addEventListener('datastar-sse', ({ detail }) => {
  if (detail.type !== 'datastar-patch-elements') return
  const argsRaw = { fragments: detail.argsRaw.elements }
  document.dispatchEvent(new CustomEvent('datastar-sse', { detail: { ...detail, type: 'datastar-merge-fragments', argsRaw } }))
})
