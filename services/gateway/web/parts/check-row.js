// One line of a list: a check of one's own, a past check, a movement of the statement.

import { h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { formatMoney } from '../money.js';
import { formatTime } from '../time.js';
import { lifeLeft, statusBadge } from './check-card.js';

export function activeRow(check, signal) {
  return h('li', {}, h('a', { class: 'row link', href: `/checks/${check.fastcheck}`, 'data-key': check.fastcheck },
    h('span', { class: 'row-main' }, h('strong', { class: 'row-amount' }, formatMoney(check.amount, check.currency)),
      check.frozenUntil || check.codeChangeRequired ? statusBadge(check) : null),
    h('span', { class: 'row-sub' }, check.note ?? h('span', { class: 'digits' }, check.fastcheck)),
    h('span', { class: 'row-side life' }, icon('clock'), h('span', { class: 'visually-hidden' }, t('check.lives')), lifeLeft(check.expiration, signal, { brief: true })),
    icon('chevron')));
}

/** When a past check came to its end. */
export function endOf(check) {
  return check.acceptedAt ?? check.usedAt ?? check.expiredAt ?? check.cancelledAt ?? check.createdAt;
}

export function pastRow(check) {
  const received = check.type === 'accepted';
  const what = received ? 'check_accepted' : `check_${check.status}`;
  const content = [
    h('span', { class: 'row-main' }, h('span', {}, t(`entry.${what}`))),
    h('span', { class: 'row-sub digits' }, check.fastcheck),
    h('strong', { class: `row-side row-amount ${received ? 'gain' : ''}` },
      formatMoney(check.amount, check.currency, { signed: received })),
    h('span', { class: 'row-time' }, formatTime(endOf(check))),
  ];
  return h('li', {}, received
    ? h('div', { class: 'row' }, content)
    : h('a', { class: 'row link', href: `/checks/${check.fastcheck}` }, content));
}

export function entryRow(entry) {
  return h('li', {}, h('div', { class: 'row' },
    h('span', { class: 'row-main' }, h('span', {}, t(`entry.${entry.kind}`))),
    h('span', { class: 'row-sub digits' }, entry.fastcheck ?? t('entry.at', { time: formatTime(entry.createdAt) })),
    h('strong', { class: `row-side row-amount ${entry.amount > 0 ? 'gain' : ''}` }, formatMoney(entry.amount, entry.currency, { signed: true })),
    h('span', { class: 'row-time' }, t('entry.after', { amount: formatMoney(entry.balanceAfter, entry.currency) }))));
}
