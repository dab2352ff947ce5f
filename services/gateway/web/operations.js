// Requests that move money, made so that they can be made again.
//
// Before a request goes out, its key and body are written down; they are crossed out when a definite
// answer is in. So a double click, a lost answer and a reload in the middle all end in a repeat under the
// same Idempotency-Key, which the server does once.

import { ApiError } from './api.js';
import { refreshBalance, withoutAnnouncing } from './balance.js';
import { userID } from './session.js';

const FORGET_AFTER_MS = 10 * 60_000;
const TRIES_WHILE_IN_PROGRESS = 15;
const BETWEEN_TRIES_MS = 1_000;

// A reload breaks off the requests that are under way, which looks like a lost answer. It is not one.
let leaving = false;
window.addEventListener('beforeunload', () => { leaving = true; });
window.addEventListener('pageshow', () => { leaving = false; });

/**
 * Send `body` with `send(body, key)` and return its answer; refresh the balance afterwards.
 * A body equal to that of an unfinished operation of the same kind goes out under that one's key.
 */
export async function perform(kind, body, send) {
  const left = unfinished(kind);
  const key = left && JSON.stringify(left.body) === JSON.stringify(body) ? left.key : newKey();
  const note = { key, body, userID: userID(), startedAt: Date.now(), inFlight: true };
  write(kind, note);
  try {
    const answer = await withoutAnnouncing(() => sendUntilAnswered(body, key, send));
    sessionStorage.removeItem(slot(kind));
    return answer;
  } catch (error) {
    if (isDefinite(error)) sessionStorage.removeItem(slot(kind));
    else if (userID() && !leaving) write(kind, { ...note, inFlight: false });
    throw error;
  } finally {
    refreshBalance({ announce: false });
  }
}

/** What was under way when the page was reloaded (`inFlight`) or got no answer; null when nothing was. */
export function unfinished(kind) {
  const note = JSON.parse(sessionStorage.getItem(slot(kind)) ?? 'null');
  if (!note || note.userID !== userID() || Date.now() - note.startedAt > FORGET_AFTER_MS) return null;
  return note;
}

/** The user would rather start anew. */
export function forgetUnfinished(kind) {
  sessionStorage.removeItem(slot(kind));
}

async function sendUntilAnswered(body, key, send) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send(body, key);
    } catch (error) {
      const first = error instanceof ApiError && error.code === 'request_in_progress';
      if (!first || tries >= TRIES_WHILE_IN_PROGRESS) throw error;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS));
    }
  }
}

/** 4xx, and the bank's own no: it was refused and nothing happened. Anything else leaves the outcome open. */
function isDefinite(error) {
  if (!(error instanceof ApiError) || error.status === 401 || error.code === 'request_in_progress') return false;
  return error.status < 500 || error.code === 'bank_refused';
}

function write(kind, note) {
  sessionStorage.setItem(slot(kind), JSON.stringify(note));
}

function slot(kind) {
  return `fastcheck.unfinished.${kind}`;
}

/** crypto.randomUUID exists on secure origins only; this works on a plain http address in a home network too. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
