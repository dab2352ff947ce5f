// Back from the bank: what has become of a top-up. The browser's coming back proves nothing, so the page says
// only what the API says: "credited" when the statement shows the money, not before.

import { ApiError, getStatement, getTopUp, listTopUps } from '../api.js';
import { refreshBalance } from '../balance.js';
import { h, icon, put } from '../dom.js';
import { t } from '../i18n.js';
import { keepFresh } from '../live.js';
import { formatMoney } from '../money.js';
import { balanceFigure } from '../parts/balance-figure.js';
import { say } from '../parts/notice.js';
import { emptyState, failureState } from '../parts/states.js';
import { replaceWith } from '../router.js';
import { startedTopUp } from './top-up.js';

const EVERY_SECONDS = 1.5;
const PAGE = 500;
const MOST_PAGES = 10;
const LOOKS = {
  pending: 'clock', arriving: 'clock', credited: 'tick', failed: 'cross', expired: 'cross', refunded: 'renew',
};

export function topUpStatus({ params, signal }) {
  const place = h('div', { class: 'stage' }, h('div', { class: 'done' }, h('span', { class: 'bone circle' }), h('span', { class: 'bone long' }), h('span', { class: 'bone figure' })));
  if (params.id === 'return') whichOne(place, signal);
  else follow(params.id, place, signal);
  return {
    title: t('home.top_up'),
    content: h('div', { class: 'sheet' }, h('h1', {}, t('home.top_up')), place),
  };
}

/** The bank returns every browser to one address: show the top-up started in this tab, else the newest. */
async function whichOne(place, signal) {
  try {
    const id = startedTopUp()?.id ?? (await listTopUps({ limit: 1 }, signal)).topups[0]?.transactionID;
    if (signal.aborted) return;
    if (id) replaceWith(`/top-up/${id}`);
    else put(place, unknown());
  } catch (error) {
    if (error.name !== 'AbortError') put(place, failureState(error, () => whichOne(place, signal)));
  }
}

function follow(id, place, signal) {
  const ended = new AbortController();
  let shown = null;
  const refresh = keepFresh(async () => {
    try {
      const { topup, state } = await stateOf(id, signal);
      if (state === shown) return;
      put(place, draw(topup, state, signal));
      if (shown !== null) say(t(`top_up.${state}.title`));
      shown = state;
      if (state === 'credited') refreshBalance({ announce: false });
      if (state !== 'pending' && state !== 'arriving') ended.abort();
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        ended.abort();
        put(place, unknown());
      } else if (shown === null && error.name !== 'AbortError') put(place, failureState(error, () => refresh()));
      throw error;
    }
  }, EVERY_SECONDS, AbortSignal.any([signal, ended.signal]));
}

/** `confirmed` is the bank's notification; the money is available once the statement lists it. */
async function stateOf(id, signal) {
  const topup = await getTopUp(id, signal);
  if (topup.status !== 'confirmed') return { topup, state: topup.status };
  return { topup, state: (await isCredited(topup, signal)) ? 'credited' : 'arriving' };
}

async function isCredited(topup, signal) {
  const createdAt = Date.parse(topup.createdAt);
  let cursor;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { entries, nextCursor } = await getStatement({ limit: page ? PAGE : 20, cursor }, signal);
    if (entries.some((entry) => entry.transactionID === topup.transactionID)) return true;
    const last = entries.at(-1);
    if (!nextCursor || !last || Date.parse(last.createdAt) < createdAt) return false;
    cursor = nextCursor;
  }
  return false;
}

function draw(topup, state, signal) {
  const amount = formatMoney(topup.amount, topup.currency);
  const waiting = state === 'pending' || state === 'arriving';
  return h('div', { class: `done ${state}` },
    h('span', { class: `done-mark ${waiting ? 'waiting' : ''}` }, icon(LOOKS[state])),
    h('h2', { class: 'stage-title' }, t(`top_up.${state}.title`)),
    h('p', { class: 'done-amount' }, amount),
    h('p', {}, t(`top_up.${state}.text`)),
    state === 'credited' && [h('p', {}, t('accept.balance')), balanceFigure(signal)],
    h('div', { class: 'done-buttons' }, buttons(topup, state)));
}

function buttons(topup, state) {
  const home = h('a', { class: `button ${state === 'credited' ? 'primary' : 'secondary'}`, href: '/' }, t('back.home'));
  const started = startedTopUp();
  if (state === 'pending' && started?.id === topup.transactionID) {
    return [h('a', { class: 'button secondary', href: started.paymentUrl }, t('top_up.to_bank')), home];
  }
  if (state === 'failed' || state === 'expired') return [h('a', { class: 'button primary', href: '/top-up' }, t('top_up.once_more')), home];
  return home;
}

function unknown() {
  return emptyState({
    iconName: 'alert', title: t('top_up.unknown.title'), text: t('top_up.unknown.text'),
    action: h('a', { class: 'button primary', href: '/top-up' }, t('home.top_up')),
  });
}
