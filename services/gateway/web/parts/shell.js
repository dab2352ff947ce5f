// The frame around every page: header, navigation, notices, the place of the page itself.

import { balance, onBalance } from '../balance.js';
import { h, icon, put } from '../dom.js';
import { chooseLanguage, language, LANGUAGES, t } from '../i18n.js';
import { render } from '../router.js';
import { signedIn } from '../session.js';
import { brandMark } from './brand.js';
import { noticeRegions, showOffline } from './notice.js';

const TABS = [
  { href: '/', icon: 'home', key: 'nav.home' },
  { href: '/write', icon: 'write', key: 'nav.write' },
  { href: '/accept', icon: 'accept', key: 'nav.accept' },
  { href: '/history', icon: 'history', key: 'nav.history', also: ['/statement'] },
  { href: '/account', icon: 'account', key: 'nav.account' },
];

const app = document.getElementById('app');
const main = h('main', { id: 'main', tabindex: '-1' });
let drawnOnce = false;

/** Draw the frame: at the start, when the language changes, and when the user signs in or out. */
export function drawShell() {
  document.body.classList.toggle('signed-in', signedIn());
  put(app,
    h('a', { class: 'skip', href: '#main', onclick: skip }, t('nav.skip')),
    h('header', { class: 'top' },
      h('a', { class: 'brand', href: '/', 'aria-label': t('nav.brand') }, brandMark(), h('span', {}, 'FastCheck')),
      signedIn() && navigation(),
      languageSwitch()),
    main,
    noticeRegions());
}

/** Put a page on the screen: its title, its content, and the focus where a reader of the page begins. */
export function showPage({ title, content, wide = false }, path) {
  document.title = `${title} · FastCheck`;
  main.classList.toggle('wide', wide);
  put(main, content);
  for (const tab of document.querySelectorAll('.tabs a')) {
    if (tab.dataset.covers.split(' ').includes(path)) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  const heading = main.querySelector('h1');
  heading.setAttribute('tabindex', '-1');
  // Not at the first page: there the browser's own start, with the skip link, is the right one.
  if (drawnOnce && !main.contains(document.activeElement)) heading.focus({ preventScroll: true });
  drawnOnce = true;
}

function navigation() {
  return h('nav', { class: 'tabs', 'aria-label': t('nav.main') }, TABS.map((tab) =>
    h('a', { href: tab.href, 'data-covers': [tab.href, ...(tab.also ?? [])].join(' ') }, icon(tab.icon), h('span', {}, t(tab.key)))));
}

/** Each language is named in that language. */
function languageSwitch() {
  return h('div', { class: 'languages', role: 'group', 'aria-label': t('nav.language') }, LANGUAGES.map((name) => h('button', {
    type: 'button', lang: name, 'aria-pressed': String(name === language()),
    'aria-label': name === 'ru' ? 'Русский' : 'English',
    async onclick() {
      await chooseLanguage(name);
      drawShell();
      render();
      document.querySelector(`.languages [lang=${name}]`).focus();
    },
  }, name.toUpperCase())));
}

function skip(event) {
  event.preventDefault();
  main.focus();
}

function checkConnection() {
  showOffline(!navigator.onLine || !balance().online);
}

onBalance(checkConnection);
window.addEventListener('online', checkConnection);
window.addEventListener('offline', checkConnection);
