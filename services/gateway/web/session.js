// The session of this tab. Decision 0014 explains where the session id is stored: in this module and in
// sessionStorage, never in localStorage, a URL or the page.

const STORED = 'fastcheck.session';
const HAND_OVER_MS = 150;

const channel = 'BroadcastChannel' in window ? new BroadcastChannel('fastcheck.session') : null;
const listeners = new Set();
let current = null; // { sessionID, userID, expiresAt }
let mayAdopt = false;
let adopted = () => {};

/** Called with 'began', 'left' (signed out here) or 'ended' (by the server or another tab). */
export function onSessionChange(listener) {
  listeners.add(listener);
}

export function signedIn() {
  return current !== null;
}

/** The user's id, to separate the unfinished operations of different users. */
export function userID() {
  return current?.userID ?? null;
}

/** The header as the API has it, or null. Only api.js has a use for it. */
export function authorization() {
  return current && JSON.stringify({ sessionID: current.sessionID });
}

export function beginSession(session) {
  keep(session);
  tell('began');
}

/** Forget the session here and in the tabs that share it. `how` is 'left' or 'ended'. */
export function endSession(how) {
  if (!current) return;
  channel?.postMessage({ type: 'ended', sessionID: current.sessionID });
  forget(how);
}

/**
 * Find the session after a reload, or ask the other open tabs for theirs: a check's link opens in a
 * new tab, and a user who is signed in in another tab should not have to sign in again.
 */
export async function restoreSession() {
  const stored = sessionStorage.getItem(STORED);
  if (stored) {
    current = JSON.parse(stored);
    return;
  }
  if (!channel) return;
  mayAdopt = true;
  channel.postMessage({ type: 'ask' });
  await new Promise((resolve) => {
    adopted = resolve;
    setTimeout(resolve, HAND_OVER_MS);
  });
}

channel?.addEventListener('message', ({ data }) => {
  if (data.type === 'ask' && current) channel.postMessage({ type: 'give', session: current });
  if (data.type === 'ended' && data.sessionID === current?.sessionID) forget('ended');
  if (data.type === 'give' && mayAdopt && !current) {
    keep(data.session);
    adopted();
    tell('began');
  }
});

function keep(session) {
  const { sessionID, userID: user, expiresAt } = session;
  current = { sessionID, userID: user, expiresAt };
  mayAdopt = false;
  sessionStorage.setItem(STORED, JSON.stringify(current));
}

function forget(how) {
  current = null;
  mayAdopt = false;
  sessionStorage.clear();
  tell(how);
}

function tell(what) {
  for (const listener of listeners) listener(what);
}
