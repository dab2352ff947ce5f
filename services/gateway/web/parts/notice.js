// Toasts, the live region for screen readers, and the confirmation dialog.

import { h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { explain } from '../words.js';

const STAYS_MS = 6_000;

// Live regions must be in the page before they are filled, or they stay silent.
const toasts = h('div', { class: 'toasts', role: 'status' });
const offline = h('p', { class: 'offline', role: 'status' });
const spoken = h('div', { class: 'visually-hidden', role: 'status' });

export function noticeRegions() {
  return [h('div', { class: 'notices' }, toasts, offline), spoken];
}

/** It lies over the page, so that nothing moves when it comes and goes. */
export function showOffline(away) {
  offline.textContent = away ? t('offline') : '';
}

/** A line at the edge of the screen that goes by itself. `kind` is 'good', 'bad' or 'plain'. */
export function toast(text, kind = 'plain') {
  const line = h('p', { class: `toast ${kind}` }, icon(kind === 'bad' ? 'alert' : 'tick'), h('span', {}, text));
  toasts.append(line);
  while (toasts.childElementCount > 3) toasts.firstElementChild.remove();
  setTimeout(() => line.remove(), STAYS_MS);
}

export function toastError(error) {
  if (error.name !== 'AbortError') toast(explain(error), 'bad');
}

/** For a screen reader alone. */
export function say(text) {
  spoken.textContent = text;
}

/** Ask before something that cannot be taken back. Resolves to true or false. */
export function confirm({ title, text, yes, danger = false }) {
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title' },
    h('form', { method: 'dialog' },
      h('h2', { id: 'dialog-title' }, title),
      h('p', {}, text),
      h('div', { class: 'dialog-buttons' },
        h('button', { class: 'secondary', value: 'no', autofocus: true }, t('dialog.no')),
        h('button', { class: danger ? 'danger' : 'primary', value: 'yes' }, yes))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
