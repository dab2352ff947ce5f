// One check of one's own: what to hand over, and what can still be done with it.

import { cancelCheck, listActiveChecks, listHistory, renewCode } from '../api.js';
import { h, icon, put } from '../dom.js';
import { t } from '../i18n.js';
import { keepFresh } from '../live.js';
import { formatMoney } from '../money.js';
import { perform } from '../operations.js';
import { checkBody, isFrozen, tornCard } from '../parts/check-card.js';
import { endOf } from '../parts/check-row.js';
import { actionButton } from '../parts/form.js';
import { handOver, secretCode, copyButton } from '../parts/hand-over.js';
import { confirm, say, toast, toastError } from '../parts/notice.js';
import { emptyState, failureState } from '../parts/states.js';
import { everySecond, formatDateTime, formatDuration, secondsUntil } from '../time.js';

const EVERY_SECONDS = 4;
const PAGE = 500;
const MOST_PAGES = 20;

export function check({ params, signal }) {
  const number = params.number;
  const body = h('div', {}, bones());
  let shown = null;
  let drawing = new AbortController();
  const over = new AbortController(); // a check that has ended does not change: polling stops

  const refresh = keepFresh(async () => {
    try {
      const found = await find(number, signal);
      const snapshot = JSON.stringify(found);
      if (snapshot === shown) return;
      if (shown !== null && found?.status !== 'active') say(t(`status.${found?.status ?? 'gone'}`));
      shown = snapshot;
      drawing.abort();
      drawing = new AbortController();
      put(body, draw(found, () => refresh(), AbortSignal.any([signal, drawing.signal])));
      if (found?.status !== 'active') over.abort();
    } catch (error) {
      if (shown === null && error.name !== 'AbortError') put(body, failureState(error, () => refresh()));
      throw error;
    }
  }, EVERY_SECONDS, AbortSignal.any([signal, over.signal]));

  return {
    title: t('check.title', { number }),
    wide: true,
    content: h('div', {}, h('a', { class: 'back', href: '/' }, icon('back'), t('back.home')),
      h('h1', { class: 'visually-hidden' }, t('check.title', { number })), body),
  };
}

/** Among the active ones, else in the history, else null. */
async function find(number, signal) {
  const among = async (list, query) => {
    let cursor;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const answer = await list({ ...query, limit: PAGE, cursor }, signal);
      const found = answer.checks.find((item) => item.fastcheck === number);
      if (found || !answer.nextCursor) return found ?? null;
      cursor = answer.nextCursor;
    }
    return null;
  };
  return (await among(listActiveChecks)) ?? (await among(listHistory, { type: 'created' }));
}

function draw(found, refresh, signal) {
  if (!found) {
    return emptyState({ iconName: 'alert', title: t('check.unknown.title'), text: t('check.unknown.text'),
      action: h('a', { class: 'button primary', href: '/history' }, t('nav.history')) });
  }
  return found.status === 'active' ? drawActive(found, refresh, signal) : drawPast(found);
}

function drawActive(active, refresh, signal) {
  const code = secretCode(active.code);
  const card = tornCard(checkBody(active, signal), [
    h('div', { class: 'stub-line' }, h('span', { class: 'stub-label' }, t('check.number')),
      h('span', { class: 'check-number' }, active.fastcheck), copyButton(active.fastcheck, t('copy.number'))),
    code.node,
    h('p', { class: 'print-where' }, t('check.where', { site: `${location.host}/accept` })),
  ]);
  return h('div', { class: 'check-page' },
    h('div', { class: 'check-column' }, isFrozen(active) && frozenNote(active, signal), card, h('div', { class: 'check-acts' },
      renewButton(active, refresh), cancelButton(active, refresh))),
    handOver(active, code, signal));
}

/** Over: how it ended, and when. */
function drawPast(past) {
  return h('div', { class: 'check-page past' }, h('div', { class: 'check-column' },
    tornCard(checkBody(past), [
      h('div', { class: 'stub-line' }, h('span', { class: 'stub-label' }, t('check.number')), h('span', { class: 'check-number' }, past.fastcheck)),
      h('p', { class: 'check-end' }, t(`check.end.${past.status}`, { when: formatDateTime(endOf(past)) })),
    ], { class: past.status })));
}

function frozenNote(active, signal) {
  if (active.codeChangeRequired) return h('div', { class: 'note frozen', role: 'status' }, icon('frost'), h('p', {}, t('check.frozen.until_change')));
  const left = h('span', { 'aria-hidden': 'true' });
  everySecond(() => {
    const seconds = secondsUntil(active.frozenUntil);
    put(left, ` ${t('check.frozen.left', { time: formatDuration(seconds) })}`);
    return seconds > 0;
  }, signal);
  return h('div', { class: 'note frozen', role: 'status' }, icon('frost'), h('p', {}, t('check.frozen'), left));
}

function renewButton(active, refresh) {
  return actionButton({ class: 'secondary' }, [icon('renew'), t('check.renew')], async () => {
    if (!(await confirm({ title: t('renew.title'), text: t('renew.text'), yes: t('check.renew') }))) return;
    await renewCode(active.fastcheck);
    await refresh();
    toast(t('renew.done'), 'good');
  }, toastError);
}

function cancelButton(active, refresh) {
  const amount = formatMoney(active.amount, active.currency);
  return actionButton({ class: 'secondary warn' }, [icon('cross'), t('check.cancel')], async () => {
    const sure = await confirm({ title: t('cancel.title'), text: t('cancel.text', { amount }), yes: t('check.cancel'), danger: true });
    if (!sure) return;
    try {
      await perform(`cancel.${active.fastcheck}`, {}, (body, key) => cancelCheck(active.fastcheck, key));
      toast(t('cancel.done', { amount }), 'good');
    } finally {
      await refresh(); // used or expired meanwhile: the page shows which
    }
  }, toastError);
}

function bones() {
  return h('div', { class: 'check-page', 'aria-hidden': 'true' }, h('div', { class: 'check-column' },
    tornCard([h('span', { class: 'bone short' }), h('span', { class: 'bone figure' }), h('span', { class: 'bone long' })],
      [h('span', { class: 'bone long' }), h('span', { class: 'bone short' })])));
}
