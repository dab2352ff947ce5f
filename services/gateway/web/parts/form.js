// Forms: labels, hints, errors beside the field, a button that cannot be pressed twice.

import { ApiError } from '../api.js';
import { h, put, uniqueId } from '../dom.js';
import { t } from '../i18n.js';
import { everySecond } from '../time.js';
import { explain, explainField } from '../words.js';

/**
 * One labelled field. `check(value)` gives a sentence when the value will not do, else null.
 * Returns { node, input, name, fail(sentence), valid() }.
 */
export function field({ name, label, hint, check, after, element = 'input', ...attributes }) {
  const id = uniqueId(name);
  const error = h('p', { class: 'field-error', id: `${id}-error` });
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(' ');
  const input = h(element, { id, name, 'aria-describedby': described, ...attributes });
  const node = h('div', { class: 'field' },
    h('label', { for: id }, label),
    hint && h('p', { class: 'field-hint', id: `${id}-hint` }, hint),
    h('div', { class: 'field-box' }, input, after),
    error);

  function fail(sentence) {
    error.textContent = sentence ?? '';
    if (sentence) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }

  input.addEventListener('input', () => fail(null));
  return {
    node, input, name, fail,
    valid() {
      const sentence = check?.(input.value) ?? null;
      fail(sentence);
      return !sentence;
    },
  };
}

/** A password with a button to look at it. */
export function passwordField(options) {
  const show = h('button', { type: 'button', class: 'field-button', 'aria-pressed': 'false' }, t('form.show'));
  const made = field({ type: 'password', autocapitalize: 'none', spellcheck: 'false', ...options, after: show });
  show.addEventListener('click', () => {
    const visible = made.input.type === 'password';
    made.input.type = visible ? 'text' : 'password';
    show.setAttribute('aria-pressed', String(visible));
    show.textContent = t(visible ? 'form.hide' : 'form.show');
  });
  return made;
}

/**
 * A form of `fields` whose button runs `submit()`. While that runs the button is dead; a refusal goes beside the
 * field it is about, else above the button. `submit` may throw FieldFault for a field of its own choice. With the
 * page's `signal`, a refusal that says how long to wait counts down.
 * Returns { node, submit() }.
 */
export function form({ fields, button, submit, below, signal }) {
  const alert = h('div', { class: 'form-error', role: 'alert' });
  const send = h('button', { class: 'primary', type: 'submit' }, button);
  const node = h('form', { novalidate: true }, fields.map((item) => item.node ?? item), alert, send, below);
  const inputs = fields.filter((item) => item.input);
  let busy = false;

  async function run() {
    if (busy) return;
    put(alert);
    const wrong = inputs.filter((item) => !item.valid());
    if (wrong.length) {
      wrong[0].input.focus();
      return;
    }
    busy = true;
    setBusy(send, true);
    try {
      await submit();
    } catch (error) {
      showRefusal(error, inputs, alert, signal);
    } finally {
      busy = false;
      setBusy(send, false);
    }
  }

  node.addEventListener('submit', (event) => {
    event.preventDefault();
    run();
  });
  return { node, submit: run };
}

/** The refusal belongs to this field. */
export class FieldFault extends Error {
  constructor(fieldName, sentence) {
    super(sentence);
    this.fieldName = fieldName;
  }
}

function showRefusal(error, inputs, alert, signal) {
  if (error.name === 'AbortError') return;
  const faults = error instanceof FieldFault
    ? [[error.fieldName, error.message]]
    : Object.entries(error instanceof ApiError ? error.errors : {}).map(([name, text]) => [name, explainField(name, text)]);
  const known = faults.filter(([name]) => inputs.some((item) => item.name === name));
  for (const [name, sentence] of known) inputs.find((item) => item.name === name).fail(sentence);
  if (known.length) inputs.find((item) => item.name === known[0][0]).input.focus();
  else if (signal && error.retryAfterSeconds) countDown(error, alert, signal);
  else put(alert, explain(error));
}

/** The eye sees the seconds go; a screen reader hears the sentence once. */
function countDown(error, alert, signal) {
  const end = Date.now() + error.retryAfterSeconds * 1000;
  const seen = h('span', { 'aria-hidden': 'true' });
  put(alert, h('span', { class: 'visually-hidden' }, explain(error)), seen);
  everySecond(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (seen.isConnected && left <= 0) put(alert);
    seen.textContent = explain(error, Math.max(0, left));
    return seen.isConnected && left > 0;
  }, signal);
}

/** Dead and saying so, without losing its width or the focus. */
export function setBusy(button, busy) {
  button.classList.toggle('busy', busy);
  if (busy) button.setAttribute('aria-disabled', 'true');
  else button.removeAttribute('aria-disabled');
}

/** Run `action` at a click, once at a time. A refusal is given to `failed`. */
export function actionButton(attributes, label, action, failed) {
  const button = h('button', { type: 'button', ...attributes }, label);
  button.addEventListener('click', async () => {
    if (button.getAttribute('aria-disabled')) return;
    setBusy(button, true);
    try {
      await action();
    } catch (error) {
      failed(error);
    } finally {
      setBusy(button, false);
    }
  });
  return button;
}

/** A choice of a few: radio buttons that look like chips. Returns { node, value() }. */
export function chips({ name, label, options, value, onchange }) {
  const inputs = options.map((option) => h('input', {
    type: 'radio', name, id: uniqueId(name), value: option.value, checked: option.value === value,
    onchange: () => onchange?.(option.value),
  }));
  const node = h('fieldset', { class: 'chips' }, h('legend', {}, label),
    h('div', { class: 'chips-row' }, inputs.map((input, i) => [input, h('label', { for: input.id }, options[i].label)])));
  return { node, value: () => inputs.find((input) => input.checked).value, choose(next) {
    for (const input of inputs) input.checked = input.value === next;
  } };
}
