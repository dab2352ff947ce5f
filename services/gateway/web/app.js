// Entry point: load the language and the session, then show the page of the current address.

import { onBalance, watchBalance } from './balance.js';
import { put } from './dom.js';
import { loadLanguage, t } from './i18n.js';
import { formatMoney } from './money.js';
import { toast } from './parts/notice.js';
import { drawShell, showPage } from './parts/shell.js';
import { goTo, render, replaceWith, startRouter } from './router.js';
import { onSessionChange, restoreSession, signedIn } from './session.js';
import { accept } from './pages/accept.js';
import { account } from './pages/account.js';
import { check } from './pages/check.js';
import { history } from './pages/history.js';
import { home } from './pages/home.js';
import { join } from './pages/join.js';
import { notFound } from './pages/not-found.js';
import { signIn } from './pages/sign-in.js';
import { statement } from './pages/statement.js';
import { topUp } from './pages/top-up.js';
import { topUpStatus } from './pages/top-up-status.js';
import { write } from './pages/write.js';

// `guest`: only for users who are not signed in.
const ROUTES = [
  { path: '/', page: home },
  { path: '/sign-in', page: signIn, guest: true },
  { path: '/join', page: join, guest: true },
  { path: '/accept', page: accept },
  { path: '/write', page: write },
  { path: '/checks/:number', page: check },
  { path: '/top-up', page: topUp },
  { path: '/top-up/:id', page: topUpStatus },
  { path: '/history', page: history },
  { path: '/statement', page: statement },
  { path: '/account', page: account },
  { path: '*', page: notFound },
];

const WANTED = 'fastcheck.wanted';
let endedElsewhere = false;
let watching = new AbortController();

function show(route, visit) {
  if (route.guest && signedIn()) {
    replaceWith(wanted() ?? '/');
  } else if (!route.guest && !signedIn()) {
    // Remembered here and not in the address of the sign-in page: a check's code must not get into one.
    remember(location.pathname + location.search + location.hash);
    replaceWith('/sign-in');
  } else {
    showPage(route.page({ ...visit, endedElsewhere, wanted: sessionStorage.getItem(WANTED) }), route.path);
    if (signedIn()) sessionStorage.removeItem(WANTED);
  }
}

function wanted() {
  const address = sessionStorage.getItem(WANTED);
  sessionStorage.removeItem(WANTED);
  return address;
}

function remember(address) {
  if (address === '/') sessionStorage.removeItem(WANTED);
  else sessionStorage.setItem(WANTED, address);
}

function sessionChanged(what) {
  watching.abort();
  watching = new AbortController();
  endedElsewhere = what === 'ended';
  if (signedIn()) watchBalance(watching.signal);
  drawShell();
  if (what === 'left') goTo('/sign-in');
  else render();
}

function announceMoney(state, received) {
  if (received > 0) toast(t('balance.received', { amount: formatMoney(received, state.currency) }), 'good');
}

async function start() {
  await Promise.all([loadLanguage(), restoreSession()]);
  onSessionChange(sessionChanged);
  onBalance(announceMoney);
  if (signedIn()) watchBalance(watching.signal);
  drawShell();
  startRouter(ROUTES, show);
}

// A release while this page was open: its modules are gone from the server. A reload gets the new ones.
window.addEventListener('unhandledrejection', ({ reason }) => {
  if (/dynamically imported module/.test(reason?.message ?? '')) location.reload();
});

start();
