// Sharing a check: code, copy, share, QR code, print.

import { getQr } from '../api.js';
import { acceptLink } from '../checknumber.js';
import { h, icon, put } from '../dom.js';
import { t } from '../i18n.js';
import { formatMoney } from '../money.js';
import { formatDateTime } from '../time.js';
import { toast } from './notice.js';
import { failureState } from './states.js';

/** The code, hidden until it is touched: a telephone is looked at by others too. */
export function secretCode(code) {
  const digits = h('span', { class: 'check-code', 'aria-live': 'polite' });
  const label = h('span', {});
  const toggle = h('button', { type: 'button', class: 'code-toggle', onclick: () => show(!shown) }, icon('eye'), label);
  let shown = false;

  function show(next) {
    shown = next;
    put(digits, shown ? code : h('span', { 'aria-label': t('code.hidden'), role: 'img' }, '••••'));
    toggle.setAttribute('aria-pressed', String(shown));
    put(label, t(shown ? 'code.hide' : 'code.show'));
  }

  show(false);
  return {
    node: h('div', { class: 'stub-line' }, h('span', { class: 'stub-label' }, t('check.code')), digits,
      // Paper shows the code only when it was asked for; a line to write on otherwise.
      h('span', { class: 'print-code' }, code), h('span', { class: 'print-line' }), toggle, copyButton(code, t('copy.code'))),
  };
}

export function copyButton(text, label) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick: () => copy(text) }, icon('copy'));
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t('copy.done'), 'good');
  } catch {
    // Refused, or a plain http address, where browsers have no clipboard.
    toast(t('copy.failed'), 'bad');
  }
}

/** QR, link, share and print, all of them with the code or all without. */
export function handOver(check, code, signal) {
  const qr = h('div', { class: 'qr' });
  const explained = h('p', { class: 'field-hint', id: 'with-code-hint' });
  const choice = h('input', { type: 'checkbox', id: 'with-code', 'aria-describedby': 'with-code-hint', onchange: draw });
  const node = h('section', { class: 'sheet hand-over' },
    h('h2', {}, t('hand.title')),
    qr,
    h('div', { class: 'tick-box' }, choice, h('label', { for: 'with-code' }, t('hand.with_code'))),
    explained,
    h('div', { class: 'hand-buttons' }, shareButton(() => choice.checked, check),
      h('button', { type: 'button', class: 'secondary', onclick: () => copy(link()) }, icon('copy'), t('hand.copy_link')),
      h('button', { type: 'button', class: 'secondary', onclick: () => window.print() }, icon('print'), t('hand.print'))));

  const link = () => acceptLink(check.fastcheck, choice.checked && check.code);

  function draw() {
    document.documentElement.classList.toggle('print-with-code', choice.checked);
    put(explained, t(choice.checked ? 'hand.risky' : 'hand.safe'));
    drawQr(qr, check, choice.checked, signal, draw);
  }

  signal.addEventListener('abort', () => document.documentElement.classList.remove('print-with-code'));
  draw();
  return node;
}

/** Fetch the QR code with the session and show it from a blob URL. An <img> runs no scripts of an SVG. */
async function drawQr(place, check, withCode, signal, again) {
  const requested = String(withCode);
  place.dataset.requested = requested;
  if (!place.childElementCount) put(place, h('span', { class: 'bone square' }));
  try {
    const address = URL.createObjectURL(await getQr(check.fastcheck, withCode, signal));
    signal.addEventListener('abort', () => URL.revokeObjectURL(address));
    if (place.dataset.requested === requested) {
      put(place, h('img', { src: address, width: 232, height: 232, alt: t(withCode ? 'qr.alt.code' : 'qr.alt', { number: check.fastcheck }) }));
    }
  } catch (error) {
    if (error.name !== 'AbortError') put(place, failureState(error, again));
  }
}

/** Only where the browser has a share sheet; copying the link does elsewhere. */
function shareButton(withCode, check) {
  if (!navigator.share) return null;
  return h('button', { type: 'button', class: 'primary', async onclick() {
    const code = withCode() ? check.code : '';
    const text = t(code ? 'share.text.code' : 'share.text', {
      amount: formatMoney(check.amount, check.currency), number: check.fastcheck, code, when: formatDateTime(check.expiration),
    });
    try {
      await navigator.share({ title: 'FastCheck', text, url: acceptLink(check.fastcheck, code) });
    } catch (error) {
      // AbortError: the sheet was closed without choosing, and that is fine.
      if (error.name !== 'AbortError') toast(t('share.failed'), 'bad');
    }
  } }, icon('share'), t('hand.share'));
}
