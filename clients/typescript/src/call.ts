/** Calls a listener. An error that it throws is reported as uncaught. */
export function call(listener: () => unknown): void {
  try {
    listener()
  } catch (error) {
    reportError(error)
  }
}
