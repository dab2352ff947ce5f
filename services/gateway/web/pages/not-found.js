import { h } from '../dom.js';
import { t } from '../i18n.js';
import { emptyState } from '../parts/states.js';

export function notFound() {
  return {
    title: t('not_found.title'),
    content: h('div', { class: 'sheet' }, h('h1', {}, t('not_found.title')), emptyState({
      iconName: 'alert', title: t('not_found.what'), text: t('not_found.text'),
      action: h('a', { class: 'button primary', href: '/' }, t('back.home')),
    })),
  };
}
