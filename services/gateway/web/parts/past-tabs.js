// The two views of what was: checks and movements of money.

import { h } from '../dom.js';
import { t } from '../i18n.js';

export function pastTabs(here) {
  const tab = (href, key) => h('a', { href, 'aria-current': href === here ? 'page' : null }, t(key));
  return h('nav', { class: 'subtabs', 'aria-label': t('past.views') }, tab('/history', 'past.checks'), tab('/statement', 'home.statement'));
}
