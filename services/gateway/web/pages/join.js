import { ApiError, register } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { field, FieldFault, form, passwordField } from '../parts/form.js';
import { welcome } from '../parts/welcome.js';
import { beginSession } from '../session.js';
import { explain } from '../words.js';

export function join({ wanted }) {
  const login = field({
    name: 'login', label: t('login.label'), hint: t('login.hint'), autocomplete: 'username', autocapitalize: 'none',
    spellcheck: 'false', maxlength: 64, check: checkLogin,
  });
  const password = passwordField({
    name: 'password', label: t('password.label'), hint: t('password.hint'), autocomplete: 'new-password', maxlength: 256,
    check: checkNewPassword,
  });
  const { node } = form({
    fields: [login, password],
    button: t('join.button'),
    submit: () => createAccount(login.input.value.trim(), password.input.value),
    below: h('p', { class: 'form-below' }, t('join.have'), ' ', h('a', { href: '/sign-in' }, t('sign_in.title'))),
  });
  const reason = wanted?.startsWith('/accept') ? h('p', { class: 'note' }, t('sign_in.for_check')) : null;
  return { title: t('sign_in.join'), wide: true, content: welcome(t('sign_in.join'), reason, node) };
}

async function createAccount(login, password) {
  try {
    beginSession(await register(login, password));
  } catch (error) {
    if (error instanceof ApiError && error.code === 'login_taken') throw new FieldFault('login', explain(error));
    if (error instanceof ApiError && error.code === 'weak_password') throw new FieldFault('password', explain(error));
    throw error;
  }
}

function checkLogin(value) {
  return /^[a-z0-9._@+-]{3,64}$/i.test(value.trim()) ? null : t('field.login.wrong');
}

export function checkNewPassword(value) {
  return value.length >= 8 && value.length <= 256 ? null : t('field.password.wrong');
}
