// A long list, fetched page by page as one scrolls, under a heading for each day.

import { h, put } from '../dom.js';
import { t } from '../i18n.js';
import { formatDay } from '../time.js';
import { emptyState, failureState, skeletonRows } from './states.js';

/**
 * `load(cursor)` → { items, nextCursor? }; `timeOf(item)` its time; `row(item)` its element;
 * `empty` the emptyState() for a list without a single item. Returns the element.
 */
export function endlessList({ load, timeOf, row, empty, signal, onpage }) {
  const days = h('div');
  const foot = h('div', { class: 'list-foot' });
  const node = h('div', {}, days, foot);
  let cursor;
  let lastDay = null;
  let loading = false;

  async function more() {
    if (loading) return;
    loading = true;
    put(foot, skeletonRows(cursor === undefined ? 5 : 2));
    try {
      const page = await load(cursor);
      if (signal.aborted) return;
      page.items.forEach(add);
      onpage?.(page.items);
      cursor = page.nextCursor;
      finish();
    } catch (error) {
      if (error.name !== 'AbortError') put(foot, failureState(error, more));
    } finally {
      loading = false;
    }
  }

  function add(item) {
    const day = formatDay(timeOf(item));
    if (day !== lastDay) {
      days.append(h('section', { class: 'day' }, h('h2', { class: 'day-name' }, day), h('ul', { class: 'rows' })));
      lastDay = day;
    }
    days.lastElementChild.lastElementChild.append(row(item));
  }

  function finish() {
    if (!days.childElementCount) put(foot, emptyState(empty));
    else if (cursor === undefined) put(foot);
    else {
      // For users of keyboards and screen readers, who do not scroll.
      const button = h('button', { type: 'button', class: 'secondary', onclick: more }, t('list.more'));
      put(foot, button);
      watcher.observe(button);
    }
  }

  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) more();
  }, { rootMargin: '400px' });
  signal.addEventListener('abort', () => watcher.disconnect());
  more();
  return node;
}
