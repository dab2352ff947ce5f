// Past checks, written and accepted, with filters.

import { listHistory } from '../api.js';
import { h, put } from '../dom.js';
import { t } from '../i18n.js';
import { endOf, pastRow } from '../parts/check-row.js';
import { endlessList } from '../parts/endless-list.js';
import { chips } from '../parts/form.js';
import { pastTabs } from '../parts/past-tabs.js';

const TYPES = ['', 'created', 'accepted'];
const STATUSES = ['', 'used', 'expired', 'cancelled'];
const PAGE = 50;

export function history({ query, signal }) {
  const filter = { type: known(TYPES, query.get('type')), status: known(STATUSES, query.get('status')) };
  const place = h('div', {});
  let listing = new AbortController();

  function list() {
    listing.abort();
    listing = new AbortController();
    const both = AbortSignal.any([signal, listing.signal]);
    const asked = { ...filter };
    put(place, endlessList({
      load: async (cursor) => {
        const { checks, nextCursor } = await listHistory({ ...asked, limit: PAGE, cursor }, both);
        return { items: checks, nextCursor };
      },
      timeOf: endOf,
      row: pastRow,
      empty: nothing(filter),
      signal: both,
    }));
  }

  function choose(name, value) {
    filter[name] = value;
    const chosen = new URLSearchParams(Object.entries(filter).filter(([, given]) => given));
    window.history.replaceState(null, '', chosen.size ? `/history?${chosen}` : '/history');
    list();
  }

  list();
  return {
    title: t('nav.history'),
    content: h('div', { class: 'sheet' }, h('h1', {}, t('nav.history')), pastTabs('/history'),
      h('div', { class: 'filters' }, filterChips('type', TYPES, filter.type, choose), filterChips('status', STATUSES, filter.status, choose)),
      place),
  };
}

function filterChips(name, values, value, choose) {
  return chips({
    name, label: t(`filter.${name}`), value, onchange: (next) => choose(name, next),
    options: values.map((option) => ({ value: option, label: t(option ? `${name}.${option}` : 'filter.all') })),
  }).node;
}

function known(values, value) {
  return values.includes(value) ? value : '';
}

function nothing(filter) {
  const filtered = filter.type || filter.status;
  return filtered
    ? { iconName: 'history', title: t('history.none.title'), text: t('history.none.text') }
    : { iconName: 'history', title: t('history.empty.title'), text: t('history.empty.text'),
      action: h('a', { class: 'button primary', href: '/write' }, t('home.write')) };
}
