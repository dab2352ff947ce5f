// Addresses to pages. A page is a function of its visit: page(visit) → { title, content, wide? }.
//
// A visit is { params, query, hash, signal }: the signal aborts when the page is left, and with it end the
// page's requests, timers and listeners.

let routes = [];
let show = () => {};
let visit = new AbortController();

/** `table`: [{ path: '/checks/:number', page, guest? }]; `onshow(route, visit)` puts the page on the screen. */
export function startRouter(table, onshow) {
  routes = table.map((route) => ({ ...route, pattern: patternOf(route.path) }));
  show = onshow;
  window.addEventListener('popstate', render);
  document.addEventListener('click', followLink);
  render();
}

export function goTo(address) {
  history.pushState(null, '', address);
  window.scrollTo(0, 0);
  render();
}

/** The same without a way back. Drawn after the page that asks for it, which may still be in the making. */
export function replaceWith(address) {
  history.replaceState(null, '', address);
  queueMicrotask(render);
}

/** Draw the page that the address bar says, anew. */
export function render() {
  visit.abort();
  visit = new AbortController();
  const path = location.pathname;
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match) {
      show(route, {
        params: match.groups ?? {},
        query: new URLSearchParams(location.search),
        hash: location.hash,
        signal: visit.signal,
      });
      return;
    }
  }
  throw new Error(`no route for ${path}: the table must end with one for everything`);
}

function patternOf(path) {
  return new RegExp(`^${path.replace('*', '.*').replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`);
}

/** Links are real links: a middle click, a new tab and "copy address" work as everywhere. */
function followLink(event) {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
  event.preventDefault();
  goTo(link.pathname + link.search + link.hash);
}
