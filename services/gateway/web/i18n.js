// Russian and English. A dictionary is a module of its own, fetched when it is first asked for.

const DICTIONARIES = {
  ru: () => import('./i18n/ru.js'),
  en: () => import('./i18n/en.js'),
};
const CHOSEN = 'fastcheck.language';

let current = 'en';
let words = {};
let plurals = null;

export const LANGUAGES = Object.keys(DICTIONARIES);

/** 'ru' or 'en'. */
export function language() {
  return current;
}

/** The same with the region the browser names, for Intl: en-GB has another clock than en-US. */
export function locale() {
  return navigator.languages.find((name) => name.split('-')[0] === current) ?? current;
}

/** The language early.js set on <html>: the user's choice, else the browser's. */
export async function loadLanguage(name = document.documentElement.lang) {
  current = name in DICTIONARIES ? name : 'en';
  words = (await DICTIONARIES[current]()).default;
  plurals = new Intl.PluralRules(current);
  document.documentElement.lang = current;
}

export async function chooseLanguage(name) {
  await loadLanguage(name);
  localStorage.setItem(CHOSEN, name);
}

/**
 * t('accept.wait', { time: '14:59' }). An entry that is an object holds plural forms, picked by `count`.
 * A key that is in no dictionary shows itself: a hole one can see is better than an empty button.
 */
export function t(key, values = {}) {
  const entry = words[key];
  if (entry === undefined) return key;
  const text = typeof entry === 'string' ? entry : (entry[plurals.select(values.count)] ?? entry.other);
  return text.replace(/\{(\w+)\}/g, (hole, name) => (name in values ? String(values[name]) : hole));
}

/** Is there such an entry? For messages that are looked up by a code from the server. */
export function has(key) {
  return key in words;
}
