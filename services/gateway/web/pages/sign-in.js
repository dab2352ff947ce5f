import { signIn as askForSession } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { field, form, passwordField } from '../parts/form.js';
import { welcome } from '../parts/welcome.js';
import { beginSession } from '../session.js';

export function signIn({ endedElsewhere, wanted }) {
  const login = field({
    name: 'login', label: t('login.label'), autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false',
    check: (value) => (value.trim() ? null : t('login.missing')),
  });
  const password = passwordField({
    name: 'password', label: t('password.label'), autocomplete: 'current-password',
    check: (value) => (value ? null : t('password.missing')),
  });
  const { node } = form({
    fields: [login, password],
    button: t('sign_in.title'),
    async submit() {
      beginSession(await askForSession(login.input.value.trim(), password.input.value));
    },
    below: h('p', { class: 'form-below' }, t('sign_in.new'), ' ', h('a', { href: '/join' }, t('sign_in.join'))),
  });
  return { title: t('sign_in.title'), wide: true, content: welcome(t('sign_in.title'), why(endedElsewhere, wanted), node) };
}

function why(endedElsewhere, wanted) {
  if (wanted?.startsWith('/accept')) return h('p', { class: 'note' }, t('sign_in.for_check'));
  if (endedElsewhere) return h('p', { class: 'note', role: 'status' }, t('sign_in.ended'));
  return null;
}
