// Write a check: amount, note, how long it lives.

import { ApiError, createCheck } from '../api.js';
import { balance, onBalance } from '../balance.js';
import { h, put } from '../dom.js';
import { t } from '../i18n.js';
import { formatMoney } from '../money.js';
import { forgetUnfinished, perform, unfinished } from '../operations.js';
import { amountField } from '../parts/amount-field.js';
import { chips, field, FieldFault, form } from '../parts/form.js';
import { toast } from '../parts/notice.js';
import { replaceWith } from '../router.js';
import { explain } from '../words.js';

const NOTE_LENGTH = 140;
const HOUR = 3600;
const LIVES = [
  { value: String(HOUR), key: 'life.hour' },
  { value: String(24 * HOUR), key: 'life.day' },
  { value: String(7 * 24 * HOUR), key: 'life.week' },
  { value: String(30 * 24 * HOUR), key: 'life.month' },
  { value: String(90 * 24 * HOUR), key: 'life.quarter' },
];
const USUAL_LIFE = LIVES[2].value;

export function write({ signal }) {
  const left = unfinished('write');
  const amount = amountField({ label: t('write.amount'), check: affordable });
  const note = noteField();
  const life = chips({ name: 'life', label: t('write.life'), options: LIVES.map(({ value, key }) => ({ value, label: t(key) })), value: USUAL_LIFE });
  const { node, submit } = form({
    fields: [amount, note, life.node],
    button: t('home.write'),
    submit: () => writeCheck(amount.minor(), note.input.value.trim(), Number(life.value()), signal),
  });
  if (left) restore(left.body, amount, note, life);
  if (left?.inFlight) queueMicrotask(submit); // reloaded while it was under way: ask again under the same key

  return {
    title: t('home.write'),
    content: h('div', { class: 'sheet' }, h('h1', {}, t('home.write')), h('p', { class: 'lead' }, t('write.lead')),
      available(signal), left && !left.inFlight && unsureNote(amount, note), node),
  };
}

async function writeCheck(minor, note, seconds, signal) {
  const body = { amount: minor, currency: balance().currency, expiresIn: seconds, ...(note && { note }) };
  try {
    const check = await perform('write', body, createCheck);
    toast(t('write.done', { amount: formatMoney(check.amount, check.currency) }), 'good');
    // A user who has opened another page is not sent back here.
    if (!signal.aborted) replaceWith(`/checks/${check.fastcheck}`);
  } catch (error) {
    if (error instanceof ApiError && error.code === 'insufficient_funds') throw new FieldFault('amount', explain(error));
    throw error;
  }
}

/** Only when the balance is known: the server has the last word anyway. */
function affordable(minor) {
  const have = balance();
  if (have.minor === null || !have.online || minor <= have.minor) return null;
  return t('write.too_much', { amount: formatMoney(have.minor, have.currency) });
}

function available(signal) {
  const node = h('p', { class: 'available' });
  const draw = ({ minor, currency }) => put(node, minor === null ? '\u00a0' : t('write.available', { amount: formatMoney(minor, currency) }));
  draw(balance());
  onBalance(draw, signal);
  return node;
}

function noteField() {
  const counter = h('span', { class: 'field-unit' }, String(NOTE_LENGTH));
  const made = field({ name: 'note', label: t('write.note'), hint: t('write.note.hint'), maxlength: NOTE_LENGTH, autocomplete: 'off', after: counter });
  made.input.addEventListener('input', () => put(counter, String(NOTE_LENGTH - made.input.value.length)));
  return made;
}

function restore(body, amount, note, life) {
  amount.set(body.amount);
  note.input.value = body.note ?? '';
  life.choose(String(body.expiresIn));
}

/** The answer was lost. The form is as it was sent: sent again, it is still one check. */
function unsureNote(amount, note) {
  const box = h('div', { class: 'note', role: 'status' }, h('p', {}, t('unfinished.write')),
    h('button', { type: 'button', class: 'link-button', onclick() {
      forgetUnfinished('write');
      amount.input.value = '';
      note.input.value = '';
      box.remove();
      amount.input.focus();
    } }, t('unfinished.forget')));
  return box;
}
