// Placeholders for content that is loading, empty or failed.

import { h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { explain } from '../words.js';

/** Grey bars with the height of real rows, so that the layout does not shift when the rows load. */
export function skeletonRows(count) {
  return h('div', { class: 'rows', 'aria-hidden': 'true' },
    Array.from({ length: count }, () => h('div', { class: 'row' },
      h('span', { class: 'bone long' }), h('span', { class: 'bone short' }), h('span', { class: 'bone shorter' }))));
}

/** An empty list, with the action that fills it. */
export function emptyState({ iconName, title, text, action }) {
  return h('div', { class: 'empty' }, icon(iconName), h('h2', {}, title), h('p', {}, text), action);
}

/** Content failed to load; `again` retries. */
export function failureState(error, again) {
  return h('div', { class: 'empty', role: 'alert' },
    icon('alert'), h('p', {}, explain(error)),
    h('button', { type: 'button', class: 'secondary', onclick: again }, t('again')));
}
