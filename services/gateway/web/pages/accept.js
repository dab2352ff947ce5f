// Accept a check: enter number and code, review the check, receive the money.

import { acceptCheck, ApiError, previewCheck } from '../api.js';
import { digitsOf, isCode, isNumber, keepGrouped, readHash, readPasted } from '../checknumber.js';
import { h, icon, put } from '../dom.js';
import { t } from '../i18n.js';
import { formatMoney } from '../money.js';
import { perform, unfinished } from '../operations.js';
import { balanceFigure } from '../parts/balance-figure.js';
import { checkBody, tornCard } from '../parts/check-card.js';
import { field, FieldFault, form } from '../parts/form.js';
import { say } from '../parts/notice.js';
import { explain } from '../words.js';

// Number and code of the link that opened the page. A redraw, for example for another language, needs them again.
let link = null;

export function accept({ hash, signal }) {
  const left = unfinished('accept');
  const given = left?.inFlight ? { number: left.body.fastcheck, code: left.body.code } : takeLink(hash);
  const stage = h('div', { class: 'stage' });
  const stages = { signal, stage, enter, look, done };

  function enter(values) {
    put(stage, entryForm(values, stages));
  }

  function look(check, code) {
    put(stage, lookCard(check, code, stages));
    focusOn(stage);
  }

  function done(accepted) {
    link = null;
    put(stage, doneCard(accepted, signal));
    say(t('accept.done', { amount: formatMoney(accepted.amount, accepted.currency) }));
    focusOn(stage);
  }

  enter(given);
  signal.addEventListener('abort', () => {
    if (location.pathname !== '/accept') link = null;
  });
  if (left?.inFlight) queueMicrotask(() => resume(left.body, stages));
  return {
    title: t('home.accept'),
    content: h('div', { class: 'sheet' }, h('h1', {}, t('home.accept')), stage),
  };
}

/**
 * Read number and code of a link and remove them from the address bar at once: the code must stay neither in the
 * browser's history nor on a shared screen. The user submits the form; opening a link spends no attempt.
 */
function takeLink(hash) {
  if (hash.includes('fastcheck=')) {
    link = readHash(hash);
    history.replaceState(history.state, '', location.pathname + location.search);
  }
  return link ?? { number: '', code: '' };
}

function entryForm(values, stages) {
  const number = field({
    name: 'fastcheck', label: t('check.number'), value: values.number ?? '', inputmode: 'numeric', autocomplete: 'off', class: 'digits number-input',
    placeholder: '0000-0000-0000', check: (value) => (isNumber(value) ? null : t('field.fastcheck.wrong')),
  });
  const code = field({
    name: 'code', label: t('check.code'), value: values.code ?? '', inputmode: 'numeric', autocomplete: 'off', class: 'digits code-input',
    placeholder: '0000', check: (value) => (isCode(value) ? null : t('field.code.wrong')),
  });
  joinFields(number, code);
  const { node } = form({
    fields: [h('p', { class: 'lead' }, t('accept.lead')), number, code],
    button: t('accept.look'),
    signal: stages.signal,
    async submit() {
      const check = await refusedBeside(() => previewCheck(number.input.value, code.input.value, stages.signal));
      stages.look(check, code.input.value);
    },
  });
  return node;
}

/** Digits group themselves, a pasted message fills both fields, a full number leads on to the code. */
function joinFields(number, code) {
  keepGrouped(number.input);
  number.input.addEventListener('input', () => {
    if (isNumber(number.input.value) && number.input.selectionStart === number.input.value.length) code.input.focus();
  });
  code.input.addEventListener('input', () => {
    code.input.value = digitsOf(code.input.value).slice(0, 4);
  });
  for (const { input } of [number, code]) {
    input.addEventListener('paste', (event) => {
      const found = readPasted(event.clipboardData.getData('text'));
      if (!found.number) return;
      event.preventDefault();
      number.input.value = found.number;
      if (found.code) code.input.value = found.code;
      number.fail(null);
      code.fail(null);
      code.input.focus();
    });
  }
}

function lookCard(check, code, stages) {
  const amount = formatMoney(check.amount, check.currency);
  const { node } = form({
    fields: [tornCard(checkBody(check, stages.signal), [h('div', { class: 'stub-line' },
      h('span', { class: 'stub-label' }, t('check.number')), h('span', { class: 'check-number' }, check.fastcheck))])],
    button: t('accept.button', { amount }),
    signal: stages.signal,
    submit: () => take({ fastcheck: check.fastcheck, code }, stages),
    below: h('button', { type: 'button', class: 'link-button', onclick() {
      link = null;
      stages.enter({});
      stages.stage.querySelector('input').focus();
    } }, t('accept.other')),
  });
  return [h('h2', { class: 'stage-title', tabindex: '-1' }, t('accept.found')), node];
}

async function take(body, stages) {
  const accepted = await refusedBeside(() => perform('accept', body, acceptCheck));
  if (!stages.signal.aborted) stages.done(accepted);
}

/** The page was reloaded during an accept: repeat it with the same idempotency key. */
async function resume(body, stages) {
  const waiting = h('p', { class: 'note', role: 'status' }, t('accept.resuming'));
  stages.stage.prepend(waiting);
  try {
    await take(body, stages);
  } catch (error) {
    put(waiting, explain(error));
  }
}

/** Show a wrong number or code beside the code field: the API does not tell which of them is wrong. */
async function refusedBeside(request) {
  try {
    return await request();
  } catch (error) {
    if (error instanceof ApiError && error.code === 'check_not_found') throw new FieldFault('code', explain(error));
    throw error;
  }
}

function doneCard(accepted, signal) {
  return h('div', { class: 'done' },
    h('span', { class: 'done-mark' }, icon('tick')),
    h('h2', { class: 'stage-title', tabindex: '-1' }, t('accept.done', { amount: formatMoney(accepted.amount, accepted.currency) })),
    h('p', {}, t('accept.balance')),
    balanceFigure(signal),
    h('div', { class: 'done-buttons' },
      h('a', { class: 'button primary', href: '/' }, t('back.home')),
      h('a', { class: 'button secondary', href: '/accept' }, t('accept.other'))));
}

function focusOn(stage) {
  stage.querySelector('.stage-title').focus();
}
