// The balance: one copy for the whole app, refreshed periodically; announces money that arrives.

import { getBalance, NoAnswer } from './api.js';
import { keepFresh } from './live.js';
import { signedIn } from './session.js';

const EVERY_SECONDS = 4;

const listeners = new Set();
let state = empty();
let operations = 0;
let asked = 0;

function empty() {
  return { minor: null, currency: 'RUB', online: true };
}

/** { minor, currency, online }; minor is null until the first answer. */
export function balance() {
  return state;
}

/** `listener(state, received)`: `received` is money that this app did not request, in minor units. */
export function onBalance(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener('abort', () => listeners.delete(listener));
}

/** Until the signal aborts; that is, while this user is signed in. */
export function watchBalance(signal) {
  state = empty();
  keepFresh(() => (operations ? undefined : refreshBalance({ signal })), EVERY_SECONDS, signal);
}

/** While the user's own operation runs, a higher balance is no news: the page itself says what happened. */
export async function withoutAnnouncing(operation) {
  operations += 1;
  try {
    return await operation();
  } finally {
    operations -= 1;
  }
}

export async function refreshBalance({ announce = true, signal } = {}) {
  if (!signedIn()) return;
  const request = (asked += 1);
  try {
    const answer = await getBalance(signal);
    if (request !== asked) return; // a late response must not overwrite a newer one
    const received = announce && operations === 0 && state.minor !== null ? Math.max(0, answer.balance - state.minor) : 0;
    set({ minor: answer.balance, currency: answer.currency, online: true }, received);
  } catch (error) {
    if (error instanceof NoAnswer) set({ ...state, online: false }, 0);
    if (announce) throw error; // keepFresh slows down on it; after an operation the next round will do
  }
}

function set(next, received) {
  state = next;
  for (const listener of listeners) listener(state, received);
}
