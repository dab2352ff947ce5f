// The account: password, sessions, looks.

import { ApiError, changePassword, getMe, signOut, signOutEverywhere } from '../api.js';
import { h, put } from '../dom.js';
import { t } from '../i18n.js';
import { actionButton, chips, FieldFault, form, passwordField } from '../parts/form.js';
import { confirm, toast, toastError } from '../parts/notice.js';
import { endSession } from '../session.js';
import { currentTheme, setTheme, THEMES } from '../theme.js';
import { formatDate } from '../time.js';
import { explain } from '../words.js';
import { checkNewPassword } from './join.js';

export function account({ signal }) {
  return {
    title: t('nav.account'),
    content: [
      h('div', { class: 'sheet' }, h('h1', {}, t('nav.account')), profile(signal), signOutButton()),
      h('section', { class: 'sheet' }, h('h2', {}, t('password.label')), h('p', { class: 'lead' }, t('account.password.lead')), passwordForm()),
      h('section', { class: 'sheet' }, h('h2', {}, t('account.sessions')), h('p', { class: 'lead' }, t('account.sessions.lead')), everywhereButton()),
      h('section', { class: 'sheet' }, h('h2', {}, t('account.looks')), themeChips()),
    ],
  };
}

function profile(signal) {
  const node = h('div', { class: 'profile' }, h('span', { class: 'bone short' }), h('span', { class: 'bone long' }));
  getMe(signal).then(
    (me) => put(node, h('p', { class: 'profile-login' }, me.login), h('p', { class: 'profile-since' }, t('account.since', { day: formatDate(me.createdAt) }))),
    (error) => { if (error.name !== 'AbortError') put(node, h('p', { class: 'field-error' }, explain(error))); },
  );
  return node;
}

function signOutButton() {
  return actionButton({ class: 'secondary' }, t('account.sign_out'), async () => {
    await signOut();
    endSession('left');
  }, toastError);
}

function everywhereButton() {
  return actionButton({ class: 'secondary warn' }, t('account.sign_out_everywhere'), async () => {
    const sure = await confirm({ title: t('everywhere.title'), text: t('everywhere.text'), yes: t('account.sign_out_everywhere'), danger: true });
    if (!sure) return;
    await signOutEverywhere();
    endSession('left');
  }, toastError);
}

function passwordForm() {
  const old = passwordField({
    name: 'oldPassword', label: t('password.old'), autocomplete: 'current-password',
    check: (value) => (value ? null : t('password.missing')),
  });
  const fresh = passwordField({
    name: 'newPassword', label: t('password.new'), hint: t('password.hint'), autocomplete: 'new-password', maxlength: 256, check: checkNewPassword,
  });
  const { node } = form({
    fields: [old, fresh],
    button: t('account.password.button'),
    async submit() {
      await change(old.input.value, fresh.input.value);
      old.input.value = '';
      fresh.input.value = '';
      toast(t('account.password.done'), 'good');
    },
  });
  return node;
}

async function change(oldPassword, newPassword) {
  try {
    await changePassword(oldPassword, newPassword);
  } catch (error) {
    if (error instanceof ApiError && (error.code === 'wrong_credentials' || error.code === 'wrong_password')) {
      throw new FieldFault('oldPassword', t('password.old.wrong'));
    }
    if (error instanceof ApiError && error.code === 'weak_password') throw new FieldFault('newPassword', explain(error));
    throw error;
  }
}

function themeChips() {
  return chips({
    name: 'theme', label: t('account.theme'), value: currentTheme(), onchange: setTheme,
    options: THEMES.map((value) => ({ value, label: t(`theme.${value}`) })),
  }).node;
}
