// Amounts are whole numbers of minor units (kopecks) from the field to the wire and back. They
// become a decimal only as text: 0.1 + 0.2 has no place here.

import { locale } from './i18n.js';

const formats = new Map();

/** How many digits follow the point: 2 for RUB, 0 for JPY. */
export function minorDigits(currency) {
  return format(currency).resolvedOptions().maximumFractionDigits;
}

/** 150050 → "1 500,50 ₽"; whole roubles go without kopecks. `signed` puts a plus before what came in. */
export function formatMoney(minor, currency, { signed = false } = {}) {
  const whole = minor % 10 ** minorDigits(currency) === 0;
  return format(currency, whole, signed).format(decimal(minor, currency));
}

/** The same in pieces, for setting the kopecks smaller: [{ type, value }]. */
export function moneyParts(minor, currency) {
  return format(currency).formatToParts(decimal(minor, currency));
}

/** "₽", as it stands beside a field. */
export function currencySign(currency) {
  return format(currency).formatToParts(0).find((part) => part.type === 'currency').value;
}

/**
 * What a person typed, in minor units: "1 500,5" → 150050. Comma and point both divide off kopecks, save where
 * three digits follow one with which this language groups thousands: "1,500" in English.
 * null when it is not an amount, has too many decimals, or is nought.
 */
export function parseMoney(text, currency) {
  const digits = minorDigits(currency);
  const group = format(currency).formatToParts(1_000_000).find((part) => part.type === 'group').value;
  const ungrouped = group === ',' ? text.replace(/,(?=\d{3}(?!\d))/g, '') : text;
  const plain = ungrouped.replace(/[\s']/g, '').replace(',', '.');
  const match = /^(\d{1,13})(?:\.(\d*))?$/.exec(plain);
  if (!match || (match[2] ?? '').length > digits) return null;
  const minor = Number(match[1] + (match[2] ?? '').padEnd(digits, '0'));
  return Number.isSafeInteger(minor) && minor > 0 ? minor : null;
}

/** For a field: 150050 → "1 500,50", no sign of currency. */
export function plainMoney(minor, currency) {
  const whole = minor % 10 ** minorDigits(currency) === 0;
  const digits = whole ? 0 : minorDigits(currency);
  return new Intl.NumberFormat(locale(), { minimumFractionDigits: digits }).format(decimal(minor, currency));
}

/** "-1500.50": Intl formats a decimal string to the last digit, where a float would round. */
function decimal(minor, currency) {
  const digits = minorDigits(currency);
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  const cut = text.length - digits;
  return `${minor < 0 ? '-' : ''}${text.slice(0, cut)}${digits ? '.' : ''}${text.slice(cut)}`;
}

function format(currency, whole = false, signed = false) {
  const name = [locale(), currency, whole, signed].join();
  if (!formats.has(name)) {
    formats.set(name, new Intl.NumberFormat(locale(), {
      style: 'currency',
      currency,
      currencyDisplay: 'narrowSymbol',
      signDisplay: signed ? 'exceptZero' : 'auto',
      ...(whole && { minimumFractionDigits: 0, maximumFractionDigits: 0 }),
    }));
  }
  return formats.get(name);
}
