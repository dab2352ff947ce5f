// The balance in large figures.

import { balance, onBalance } from '../balance.js';
import { h, put } from '../dom.js';
import { moneyParts } from '../money.js';
import { t } from '../i18n.js';

const SMALL = new Set(['decimal', 'fraction']);

export function balanceFigure(signal) {
  const node = h('p', { class: 'balance-figure' });
  const draw = ({ minor, currency }) => {
    if (minor === null) {
      put(node, h('span', { class: 'bone figure' }), h('span', { class: 'visually-hidden' }, t('loading')));
    } else if (node.dataset.minor !== String(minor)) {
      node.dataset.minor = String(minor);
      put(node, moneyParts(minor, currency).map(({ type, value }) => (SMALL.has(type) ? h('small', {}, value) : value)));
    }
  };
  draw(balance());
  onBalance(draw, signal);
  return node;
}
