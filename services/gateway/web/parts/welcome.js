// The introduction to FastCheck beside the sign-in form.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { tornCard } from './check-card.js';

/** The frame of the sign-in and the join page. */
export function welcome(title, ...form) {
  return h('div', { class: 'welcome' },
    h('div', { class: 'welcome-words' },
      h('p', { class: 'welcome-title' }, t('welcome.title')),
      h('p', { class: 'welcome-text' }, t('welcome.text')),
      h('div', { class: 'welcome-check', 'aria-hidden': 'true' }, tornCard(
        [h('p', { class: 'check-amount' }, t('welcome.amount')), h('p', { class: 'check-note' }, t('welcome.note'))],
        [h('p', { class: 'check-number' }, '1234-5678-0001'), h('p', { class: 'check-code' }, '5864')]))),
    h('div', { class: 'sheet' }, h('h1', {}, title), form));
}
