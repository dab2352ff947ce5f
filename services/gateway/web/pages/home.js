// The balance, what one can do with it, and the checks that are out.

import { listActiveChecks } from '../api.js';
import { balance } from '../balance.js';
import { h, icon, put } from '../dom.js';
import { t } from '../i18n.js';
import { keepFresh } from '../live.js';
import { formatMoney } from '../money.js';
import { balanceFigure } from '../parts/balance-figure.js';
import { activeRow } from '../parts/check-row.js';
import { emptyState, failureState, skeletonRows } from '../parts/states.js';

const EVERY_SECONDS = 6;
const PAGE = 50;

export function home({ signal }) {
  return {
    title: t('nav.home'),
    wide: true,
    content: h('div', { class: 'home' }, balancePanel(signal), activeSection(signal)),
  };
}

function balancePanel(signal) {
  return h('section', { class: 'balance-panel' },
    h('h1', {}, t('home.balance')),
    balanceFigure(signal),
    h('div', { class: 'balance-actions' },
      h('a', { class: 'button primary', href: '/top-up' }, icon('plus'), t('home.top_up')),
      h('a', { class: 'button secondary', href: '/write' }, icon('write'), t('home.write')),
      h('a', { class: 'button secondary', href: '/accept' }, icon('accept'), t('home.accept'))),
    h('a', { class: 'balance-more', href: '/statement' }, icon('chart'), t('home.statement')));
}

function activeSection(signal) {
  const total = h('p', { class: 'section-side' });
  const body = h('div', {}, skeletonRows(3));
  let pages = 1;
  let shown = null;

  const refresh = keepFresh(async () => {
    try {
      const { checks, more } = await load(pages, signal);
      const snapshot = JSON.stringify([checks, more, balance().minor === 0]);
      if (snapshot !== shown) draw(checks, more);
      shown = snapshot;
    } catch (error) {
      if (shown === null && error.name !== 'AbortError') put(body, failureState(error, () => refresh()));
      throw error; // what is on the screen stays; the next try is keepFresh's business
    }
  }, EVERY_SECONDS, signal);

  function draw(checks, more) {
    const focused = document.activeElement?.dataset?.key;
    put(total, checks.length && !more ? t('home.held', { amount: held(checks) }) : '');
    put(body, checks.length
      ? [h('ul', { class: 'rows' }, checks.map((check) => activeRow(check, signal))), more && moreButton()]
      : emptyState(nothing()));
    body.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  function moreButton() {
    return h('button', { type: 'button', class: 'secondary', onclick() { pages += 1; refresh(); } }, t('list.more'));
  }

  return h('section', { class: 'sheet' },
    h('div', { class: 'section-head' }, h('h2', {}, t('home.active')), total), body);
}

async function load(pages, signal) {
  const checks = [];
  let cursor;
  for (let page = 0; page < pages; page += 1) {
    const answer = await listActiveChecks({ limit: PAGE, cursor }, signal);
    checks.push(...answer.checks);
    cursor = answer.nextCursor;
    if (!cursor) break;
  }
  return { checks, more: Boolean(cursor) };
}

function held(checks) {
  const { currency } = balance();
  const sum = checks.filter((check) => check.currency === currency).reduce((total, check) => total + check.amount, 0);
  return formatMoney(sum, currency);
}

/** Without money the first thing to do is another. */
function nothing() {
  const poor = balance().minor === 0;
  return {
    iconName: poor ? 'plus' : 'write',
    title: t('home.empty.title'),
    text: t(poor ? 'home.empty.poor' : 'home.empty.text'),
    action: h('a', { class: 'button primary', href: poor ? '/top-up' : '/write' }, t(poor ? 'home.top_up' : 'home.write')),
  };
}
