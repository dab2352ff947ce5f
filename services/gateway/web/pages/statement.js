// The statement: a chart of the balance and the list of transactions.

import { getStatement } from '../api.js';
import { h, put } from '../dom.js';
import { t } from '../i18n.js';
import { balanceChart } from '../parts/balance-chart.js';
import { entryRow } from '../parts/check-row.js';
import { endlessList } from '../parts/endless-list.js';
import { pastTabs } from '../parts/past-tabs.js';

const PAGE = 100;

export function statement({ signal }) {
  const chart = h('div', { class: 'chart-place' }, h('span', { class: 'bone plot' }));
  let drawn = false;
  const list = endlessList({
    load: async (cursor) => {
      const { entries, nextCursor } = await getStatement({ limit: PAGE, cursor }, signal);
      return { items: entries, nextCursor };
    },
    timeOf: (entry) => entry.createdAt,
    row: entryRow,
    empty: {
      iconName: 'chart', title: t('statement.empty.title'), text: t('statement.empty.text'),
      action: h('a', { class: 'button primary', href: '/top-up' }, t('home.top_up')),
    },
    signal,
    onpage(entries) {
      if (drawn) return; // the chart covers the first page; loading more does not redraw it
      drawn = true;
      if (entries.length) put(chart, balanceChart(entries, entries[0].currency, chart.clientWidth));
      else chart.remove();
    },
  });
  return {
    title: t('home.statement'),
    content: h('div', { class: 'sheet' }, h('h1', {}, t('home.statement')), pastTabs('/statement'), chart, list),
  };
}
