// Formatting of times, and the server's clock.

import { locale, t } from './i18n.js';

const DAY = 86_400;
let serverAheadMs = 0;

/** Correct the device clock, which may be wrong by minutes. `date` is the Date header of a response. */
export function noteServerTime(date) {
  const server = Date.parse(date ?? '');
  if (Number.isNaN(server)) return;
  const ahead = server - Date.now();
  // The header has whole seconds: less than two apart is only rounding and the way there.
  serverAheadMs = Math.abs(ahead) < 2_000 ? 0 : ahead;
}

export function now() {
  return Date.now() + serverAheadMs;
}

export function secondsUntil(instant) {
  return Math.max(0, Math.ceil((Date.parse(instant) - now()) / 1000));
}

/** "6 days 23 hr", "5 hr 12 min", "14:59": the two units that matter, or with `brief` the larger one. */
export function formatDuration(seconds, { brief = false } = {}) {
  if (seconds < 3600) {
    const minutes = Math.floor(seconds / 60);
    return `${minutes}:${String(seconds % 60).padStart(2, '0')}`;
  }
  const units = seconds >= DAY
    ? [['day', Math.floor(seconds / DAY)], ['hour', Math.floor((seconds % DAY) / 3600)]]
    : [['hour', Math.floor(seconds / 3600)], ['minute', Math.floor((seconds % 3600) / 60)]];
  return units.slice(0, brief ? 1 : 2).filter(([, amount]) => amount > 0).map(([unit, amount]) => unitFormat(unit).format(amount)).join(' ');
}

function unitFormat(unit) {
  return new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: unit === 'day' ? 'long' : 'short' });
}

/** "19 January at 12:08", with the year when it is not this one. */
export function formatDateTime(instant) {
  const date = new Date(instant);
  const year = date.getFullYear() === new Date(now()).getFullYear() ? undefined : 'numeric';
  return new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'long', year, hour: '2-digit', minute: '2-digit' }).format(date);
}

export function formatTime(instant) {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }).format(new Date(instant));
}

/** "Today", "Yesterday" or the date: the headings of lists. */
export function formatDay(instant) {
  const date = new Date(instant);
  const today = new Date(now());
  const days = Math.round((midnight(today) - midnight(date)) / (DAY * 1000));
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  const year = date.getFullYear() === today.getFullYear() ? undefined : 'numeric';
  return new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'long', year }).format(date);
}

/** "19 January 2026". */
export function formatDate(instant) {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'long' }).format(new Date(instant));
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** Call `tick` now and each second until the signal aborts or `tick` returns false. */
export function everySecond(tick, signal) {
  if (tick() === false) return;
  const timer = setInterval(() => {
    if (tick() === false) clearInterval(timer);
  }, 1000);
  signal.addEventListener('abort', () => clearInterval(timer));
}
