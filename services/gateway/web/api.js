// The public API of FastCheck, one function per call, and the example of how to use it.
// Nothing else in the app makes a request. The contract is served at /docs.

import { authorization, endSession, signedIn } from './session.js';
import { noteServerTime } from './time.js';

const TIMEOUT_MS = 20_000;

/** The server rejected the request. `code` is for programs, `errors` names the fields at fault. */
export class ApiError extends Error {
  constructor(status, body, retryAfterSeconds) {
    super(body.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? (status === 401 ? 'not_authorized' : 'unknown');
    this.errors = body.errors ?? {};
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** No answer came: offline, a time-out, a broken connection. What it did is unknown. */
export class NoAnswer extends Error {}

// Accounts

export const register = (login, password) => call('POST', '/register', { body: { login, password } });
export const signIn = (login, password) => call('POST', '/login', { body: { login, password } });
export const signOut = () => call('POST', '/logout');
export const signOutEverywhere = () => call('POST', '/logout/all');
export const getMe = (signal) => call('GET', '/me', { signal });
export const changePassword = (oldPassword, newPassword) =>
  call('POST', '/me/password', { body: { oldPassword, newPassword } });

// Balance

export const getBalance = (signal) => call('GET', '/balance', { signal });
export const getStatement = (page, signal) => call('GET', '/balance/history', { query: page, signal });

// FastChecks. `key` is the Idempotency-Key: the same key and body are done once, however often they are sent.

export const createCheck = (body, key) => call('POST', '/fastcheck', { body, key });
export const listActiveChecks = (page, signal) => call('GET', '/fastcheck/active', { query: page, signal });
export const previewCheck = (fastcheck, code, signal) =>
  call('POST', '/fastcheck/preview', { body: { fastcheck, code }, signal });
export const acceptCheck = (body, key) => call('POST', '/fastcheck/accept', { body, key });
export const cancelCheck = (fastcheck, key) => call('POST', `/fastcheck/${encodeURIComponent(fastcheck)}/cancel`, { key });
export const renewCode = (fastcheck) => call('POST', `/fastcheck/${encodeURIComponent(fastcheck)}/code`);
export const listHistory = (page, signal) => call('GET', '/fastcheck/history', { query: page, signal });
export const getQr = (fastcheck, withCode, signal) =>
  call('GET', `/fastcheck/${encodeURIComponent(fastcheck)}/qr.svg`, { query: withCode ? { withCode: true } : {}, signal, as: 'blob' });

// Top-up

export const startTopUp = (body, key) => call('POST', '/topup', { body, key });
export const getTopUp = (id, signal) => call('GET', `/topup/${encodeURIComponent(id)}`, { signal });
export const listTopUps = (page, signal) => call('GET', '/topup', { query: page, signal });

async function call(method, path, { body, key, query, signal, as = 'json' } = {}) {
  const headers = { Accept: as === 'json' ? 'application/json' : 'image/svg+xml' };
  const withSession = signedIn();
  if (withSession) headers.Authorization = authorization();
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;

  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const request = {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store',
    credentials: 'omit',
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  };
  const [response, content] = await fetchWhole(address(path, query), request, as);
  noteServerTime(response.headers.get('Date'));
  if (response.ok) return content;

  const refusal = new ApiError(response.status, content ?? {}, secondsToWait(response));
  // A wrong password is a 401 with a code of its own; without one the session is dead.
  if (withSession && headers.Authorization === authorization() && refusal.code === 'not_authorized') endSession('ended');
  throw refusal;
}

async function fetchWhole(url, request, as) {
  try {
    const response = await fetch(url, request);
    if (response.ok && as === 'blob') return [response, await response.blob()];
    const text = await response.text();
    return [response, parseJson(text)];
  } catch (error) {
    if (error.name === 'AbortError') throw error; // the user left the page; the result is not needed
    throw new NoAnswer(error.message, { cause: error });
  }
}

/** null for an empty or foreign body: a proxy's HTML page must not look like an answer of ours. */
function parseJson(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

function secondsToWait(response) {
  const seconds = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  return Number.isFinite(seconds) ? seconds : null;
}
