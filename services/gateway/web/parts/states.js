// What stands in a place where there is nothing yet, nothing at all, or an error.

import { h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { explain } from '../words.js';

/** Grey bars of the height that the real rows will have, so that nothing jumps when they come. */
export function skeletonRows(count) {
  return h('div', { class: 'rows', 'aria-hidden': 'true' },
    Array.from({ length: count }, () => h('div', { class: 'row' },
      h('span', { class: 'bone long' }), h('span', { class: 'bone short' }), h('span', { class: 'bone shorter' }))));
}

/** Nothing here, and what to do about it. */
export function emptyState({ picture, title, text, action }) {
  return h('div', { class: 'empty' }, icon(picture), h('h2', {}, title), h('p', {}, text), action);
}

/** It could not be loaded; `again` tries once more. */
export function failureState(error, again) {
  return h('div', { class: 'empty', role: 'alert' },
    icon('alert'), h('p', {}, explain(error)),
    h('button', { type: 'button', class: 'secondary', onclick: again }, t('again')));
}
