// An amount of money as a person types it.

import { balance } from '../balance.js';
import { t } from '../i18n.js';
import { h } from '../dom.js';
import { currencySign, parseMoney, plainMoney } from '../money.js';
import { field } from './form.js';

/** A field() with `minor()`, the amount in minor units, and `set(minor)`. `check(minor)` may refuse an amount. */
export function amountField({ label, hint, check }) {
  const currency = balance().currency;
  const made = field({
    name: 'amount', label, hint, inputmode: 'decimal', autocomplete: 'off', class: 'amount-input', placeholder: '0',
    after: h('span', { class: 'field-unit', 'aria-hidden': 'true' }, currencySign(currency)),
    check(text) {
      const minor = parseMoney(text, currency);
      if (minor === null) return t('field.amount.wrong');
      return check?.(minor) ?? null;
    },
  });
  made.minor = () => parseMoney(made.input.value, currency);
  made.set = (minor) => {
    made.input.value = plainMoney(minor, currency);
    made.fail(null);
  };
  made.input.addEventListener('blur', () => {
    if (made.minor() !== null) made.input.value = plainMoney(made.minor(), currency);
  });
  return made;
}
