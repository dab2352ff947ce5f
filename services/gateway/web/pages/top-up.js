// Top up: an amount, then off to the bank's page.

import { listTopUps, startTopUp } from '../api.js';
import { balance } from '../balance.js';
import { h, icon, put } from '../dom.js';
import { t } from '../i18n.js';
import { formatMoney, minorDigits } from '../money.js';
import { perform, unfinished } from '../operations.js';
import { amountField } from '../parts/amount-field.js';
import { form } from '../parts/form.js';
import { failureState, skeletonRows } from '../parts/states.js';
import { formatDateTime } from '../time.js';

const USUAL = [500, 1000, 5000];
const RECENT = 5;
const STARTED = 'fastcheck.topup';

export function topUp({ signal }) {
  const left = unfinished('topup');
  const amount = amountField({ label: t('top_up.amount') });
  const { node, submit } = form({
    fields: [amount, quickAmounts(amount)],
    button: t('top_up.button'),
    submit: () => goToBank(amount.minor()),
    below: h('p', { class: 'form-below' }, t('top_up.safe')),
  });
  if (left) amount.set(left.body.amount);
  if (left?.inFlight) queueMicrotask(submit);
  return {
    title: t('home.top_up'),
    content: [
      h('div', { class: 'sheet' }, h('h1', {}, t('home.top_up')), h('p', { class: 'lead' }, t('top_up.lead')), node),
      recent(signal),
    ],
  };
}

async function goToBank(minor) {
  const body = { amount: minor, currency: balance().currency, returnUrl: `${location.origin}/top-up/return` };
  const started = await perform('topup', body, startTopUp);
  const bank = new URL(started.paymentUrl);
  if (!/^https?:$/.test(bank.protocol)) throw new Error(`not an address to go to: ${bank.protocol}`);
  sessionStorage.setItem(STARTED, JSON.stringify({ id: started.transactionID, paymentUrl: bank.href }));
  location.assign(bank.href);
  await comingBack(); // the button stays dead until the page is left, and lives again after "back"
}

function comingBack() {
  return new Promise((resolve) => window.addEventListener('pageshow', resolve, { once: true }));
}

/** The top-up started in this tab: { id, paymentUrl }, or null. */
export function startedTopUp() {
  return JSON.parse(sessionStorage.getItem(STARTED) ?? 'null');
}

function quickAmounts(amount) {
  const { currency } = balance();
  return h('div', { class: 'quick', role: 'group', 'aria-label': t('top_up.quick') }, USUAL.map((units) => {
    const minor = units * 10 ** minorDigits(currency);
    return h('button', { type: 'button', class: 'chip', onclick: () => amount.set(minor) }, formatMoney(minor, currency));
  }));
}

function recent(signal) {
  const list = h('div', {}, skeletonRows(2));
  const section = h('section', { class: 'sheet' }, h('h2', {}, t('top_up.recent')), list);
  load();
  return section;

  async function load() {
    try {
      const { topups } = await listTopUps({ limit: RECENT }, signal);
      if (topups.length) put(list, h('ul', { class: 'rows' }, topups.map(row)));
      else section.remove();
    } catch (error) {
      if (error.name !== 'AbortError') put(list, failureState(error, load));
    }
  }
}

function row(topup) {
  return h('li', {}, h('a', { class: 'row link', href: `/top-up/${topup.transactionID}` },
    h('span', { class: 'row-main' }, h('strong', { class: 'row-amount' }, formatMoney(topup.amount, topup.currency))),
    h('span', { class: 'row-sub' }, formatDateTime(topup.createdAt)),
    h('span', { class: 'row-side' }, h('span', { class: `badge ${topup.status}` }, t(`top_up.status.${topup.status}`))),
    icon('chevron')));
}
