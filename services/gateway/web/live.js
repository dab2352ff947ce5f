// Polling of what is visible on the screen.

const SLOWEST_MS = 60_000;

/**
 * Run `refresh` now, then every so many seconds while the page is visible, at once when it becomes
 * visible again or the network comes back, and ever more slowly while it fails.
 * Returns a function that runs it immediately. Ends with the signal.
 */
export function keepFresh(refresh, seconds, signal) {
  const usual = seconds * 1000;
  let wait = usual;
  let timer = 0;
  let running = null;

  function run() {
    clearTimeout(timer);
    running ??= attempt().finally(() => { running = null; });
    return running;
  }

  async function attempt() {
    try {
      await refresh();
      wait = usual;
    } catch (error) {
      wait = Math.min(SLOWEST_MS, Math.max(wait * 2, (error.retryAfterSeconds ?? 0) * 1000));
    }
    if (!signal.aborted && !document.hidden) timer = setTimeout(run, wait);
  }

  function wake() {
    wait = usual;
    if (document.hidden) clearTimeout(timer);
    else run();
  }

  document.addEventListener('visibilitychange', wake, { signal });
  window.addEventListener('online', wake, { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  run();
  return run;
}
