// A check as it looks: the body with the amount, and the stub with what one hands over, torn along a line.

import { h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { formatMoney } from '../money.js';
import { everySecond, formatDateTime, formatDuration, secondsUntil } from '../time.js';

/** Body and stub, joined by the perforation. */
export function tornCard(body, stub, attributes = {}) {
  return h('article', { ...attributes, class: `check-card ${attributes.class ?? ''}` },
    h('div', { class: 'check-body' }, body),
    stub && h('div', { class: 'check-stub' }, stub));
}

/** Amount, note and how long it lives, for the body of a card. */
export function checkBody(check, signal) {
  return [
    h('div', { class: 'check-head' }, h('span', { class: 'check-brand' }, 'FastCheck'), statusBadge(check)),
    h('p', { class: 'check-amount' }, formatMoney(check.amount, check.currency)),
    check.note && h('p', { class: 'check-note' }, check.note),
    check.status === 'active' && h('p', { class: 'check-life' }, icon('clock'), h('span', {}, lifeLeft(check.expiration, signal)), ' ',
      t('check.until', { when: formatDateTime(check.expiration) })),
  ];
}

/** A word and a colour for the state; the word carries it, the colour only helps. */
export function statusBadge(check) {
  const status = isFrozen(check) ? 'frozen' : check.status;
  return h('span', { class: `badge ${status}` }, t(`status.${status}`));
}

/** "6 days 23 hr left", counting; in a list's row, where there is little room, "6 days". */
export function lifeLeft(expiration, signal, { brief = false } = {}) {
  const node = h('span', { class: 'life-left' });
  everySecond(() => {
    const seconds = secondsUntil(expiration);
    const time = formatDuration(seconds, { brief });
    if (seconds === 0) node.textContent = t('check.over');
    else node.textContent = brief ? time : t('check.left', { time });
    return seconds > 0;
  }, signal);
  return node;
}

export function isFrozen(check) {
  return Boolean(check.codeChangeRequired) || (Boolean(check.frozenUntil) && secondsUntil(check.frozenUntil) > 0);
}
