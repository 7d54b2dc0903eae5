/** Calls a listener. An error that it throws is reported as uncaught. */
export function call(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    reportError(error)
  }
}
