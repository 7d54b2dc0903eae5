/** Calls what others gave us: what it throws is reported as uncaught, and does not reach the caller. */
export function call(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    reportError(error)
  }
}
