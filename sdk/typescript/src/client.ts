import type { components, paths } from "./api.js";

export type Schemas = components["schemas"];

type Method = "get" | "post" | "delete";
type Json<T> = T extends { content: { "application/json": infer Content } } ? Content : undefined;
type Responses<P extends keyof paths, M extends Method> = paths[P][M] extends { responses: infer R } ? R : never;
type Success<R> = R extends { 200: infer T }
  ? Json<T>
  : R extends { 201: infer T }
    ? Json<T>
    : R extends { 202: infer T }
      ? Json<T>
      : void;
type Part<P extends keyof paths, M extends Method, Name extends string> = paths[P][M] extends {
  parameters: { [K in Name]?: infer T };
}
  ? T
  : never;

/** The content of the successful response of an operation. */
export type Result<P extends keyof paths, M extends Method> = Success<Responses<P, M>>;
/** The body of the request of an operation. */
export type Body<P extends keyof paths, M extends Method> = paths[P][M] extends { requestBody: infer B } ? Json<B> : never;
/** The query of an operation. */
export type Query<P extends keyof paths, M extends Method> = NonNullable<Part<P, M, "query">>;

/** Without a key, each request gets a new one. */
export interface KeyOption {
  idempotencyKey?: string;
}

export interface Options {
  /** That of the user; without one, call `register` or `logIn`. */
  sessionId?: string;
  /** How often a request is repeated that cannot act twice; 3 by default. */
  retries?: number;
  /** Of one attempt; 20,000 by default. */
  timeoutMs?: number;
  fetch?: typeof fetch;
  /** Waits; for tests. */
  sleep?: (ms: number) => Promise<void>;
}

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;

/** The API rejected a request. `code` is for programs, `message` for people, `requestId` for support. */
export class FastCheckError extends Error {
  override name = "FastCheckError";
  readonly status: number;
  /** Undefined for status 401: the session is missing, unknown, expired or ended. */
  readonly code: string | undefined;
  readonly errors: Record<string, string>;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(response: Response, body: Partial<Schemas["ErrorBody"]>) {
    super(body.message ?? "unexpected response");
    this.status = response.status;
    this.code = body.code;
    this.errors = body.errors ?? {};
    this.requestId = response.headers.get("X-Request-ID") ?? undefined;
    this.retryAfterSeconds = retryAfterSeconds(response);
  }
}

interface Call {
  path?: Record<string, string>;
  query?: object;
  body?: unknown;
  key?: string;
}

/**
 * The API of one installation, for one user.
 *
 * Methods reject with FastCheckError if the API rejects the request, and with the error of `fetch` without a response.
 * Each request that moves money has an `Idempotency-Key`, so that a repeat has no second effect.
 */
export class FastCheck {
  readonly #url: string;
  readonly #retries: number;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;
  readonly #sleep: (ms: number) => Promise<void>;
  #sessionId: string;

  constructor(url: string, options: Options = {}) {
    this.#url = url.replace(/\/+$/, "");
    this.#sessionId = options.sessionId ?? "";
    this.#retries = options.retries ?? 3;
    this.#timeoutMs = options.timeoutMs ?? 20_000;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#sleep = options.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
  }

  /** The session of the user, a secret. */
  get sessionId(): string {
    return this.#sessionId;
  }

  /** Register a user, and act for this user from now on. */
  async register(body: Body<"/register", "post">): Promise<Result<"/register", "post">> {
    const session = await this.#send("post", "/register", { body });
    this.#sessionId = session.sessionID;
    return session;
  }

  /** Start a session, and act for its user from now on. */
  async logIn(body: Body<"/login", "post">): Promise<Result<"/login", "post">> {
    const session = await this.#send("post", "/login", { body });
    this.#sessionId = session.sessionID;
    return session;
  }

  /** End the session. */
  logOut(): Promise<void> {
    return this.#send("post", "/logout");
  }

  /** End all sessions of the user. */
  logOutEverywhere(): Promise<void> {
    return this.#send("post", "/logout/all");
  }

  /** Return the active sessions of the user. */
  listSessions(): Promise<Result<"/sessions", "get">> {
    return this.#send("get", "/sessions");
  }

  /** End one session of the user, by the `id` of `listSessions`. */
  endSession(id: string): Promise<void> {
    return this.#send("delete", "/sessions/{id}", { path: { id } });
  }

  /** Return the user of the session. */
  getMe(): Promise<Result<"/me", "get">> {
    return this.#send("get", "/me");
  }

  /** Replace the password, and end all other sessions. */
  changePassword(body: Body<"/me/password", "post">): Promise<void> {
    return this.#send("post", "/me/password", { body });
  }

  /** Return what is free to spend, now or at the end of a second. */
  getBalance(query: Query<"/balance", "get"> = {}): Promise<Result<"/balance", "get">> {
    return this.#send("get", "/balance", { query });
  }

  /** Return a page of the changes of the balance, newest first. */
  getStatement(query: Query<"/balance/history", "get"> = {}): Promise<Result<"/balance/history", "get">> {
    return this.#send("get", "/balance/history", { query });
  }

  /** Create a check; `amount` is in minor units. */
  createCheck(body: Body<"/fastcheck", "post">, option: KeyOption = {}): Promise<Result<"/fastcheck", "post">> {
    return this.#send("post", "/fastcheck", { body, key: keyOf(option) });
  }

  /** Accept a check: its amount is credited to the user. */
  acceptCheck(
    body: Body<"/fastcheck/accept", "post">,
    option: KeyOption = {},
  ): Promise<Result<"/fastcheck/accept", "post">> {
    return this.#send("post", "/fastcheck/accept", { body, key: keyOf(option) });
  }

  /** Return what the user would receive. A wrong code counts as an attempt. */
  previewCheck(body: Body<"/fastcheck/preview", "post">): Promise<Result<"/fastcheck/preview", "post">> {
    return this.#send("post", "/fastcheck/preview", { body });
  }

  /** Do the same as `previewCheck` without a session. */
  previewCheckAsGuest(
    body: Body<"/fastcheck/preview/guest", "post">,
  ): Promise<Result<"/fastcheck/preview/guest", "post">> {
    return this.#send("post", "/fastcheck/preview/guest", { body });
  }

  /** Return a check that the user created or accepted. */
  getCheck(fastcheck: string): Promise<Result<"/fastcheck/{fastcheck}", "get">> {
    return this.#send("get", "/fastcheck/{fastcheck}", { path: { fastcheck } });
  }

  /** Cancel an own active check: its amount returns to the balance. */
  cancelCheck(fastcheck: string, option: KeyOption = {}): Promise<Result<"/fastcheck/{fastcheck}/cancel", "post">> {
    return this.#send("post", "/fastcheck/{fastcheck}/cancel", { path: { fastcheck }, key: keyOf(option) });
  }

  /** Replace the code of an own active check. */
  renewCode(fastcheck: string, option: KeyOption = {}): Promise<Result<"/fastcheck/{fastcheck}/code", "post">> {
    return this.#send("post", "/fastcheck/{fastcheck}/code", { path: { fastcheck }, key: keyOf(option) });
  }

  /** Return a page of own active checks with their codes, newest first. */
  listActiveChecks(query: Query<"/fastcheck/active", "get"> = {}): Promise<Result<"/fastcheck/active", "get">> {
    return this.#send("get", "/fastcheck/active", { query });
  }

  /** Return a page of ended checks that the user created or accepted, newest first. */
  listHistory(query: Query<"/fastcheck/history", "get"> = {}): Promise<Result<"/fastcheck/history", "get">> {
    return this.#send("get", "/fastcheck/history", { query });
  }

  /** Start a top-up. Send the browser to its `paymentUrl`. */
  createTopUp(body: Body<"/topup", "post">, option: KeyOption = {}): Promise<Result<"/topup", "post">> {
    return this.#send("post", "/topup", { body, key: keyOf(option) });
  }

  /** Return a top-up of the user. */
  getTopUp(transactionID: string): Promise<Result<"/topup/{transactionID}", "get">> {
    return this.#send("get", "/topup/{transactionID}", { path: { transactionID } });
  }

  /** Return a page of the user's top-ups, newest first. */
  listTopUps(query: Query<"/topup", "get"> = {}): Promise<Result<"/topup", "get">> {
    return this.#send("get", "/topup", { query });
  }

  /** Register a URL for events, all types or those in `events`. Its `secret` is shown only here. */
  createWebhook(body: Body<"/webhooks", "post">): Promise<Result<"/webhooks", "post">> {
    return this.#send("post", "/webhooks", { body });
  }

  /** Return the webhooks of the user. */
  listWebhooks(): Promise<Result<"/webhooks", "get">> {
    return this.#send("get", "/webhooks");
  }

  /** Delete a webhook with its deliveries. */
  deleteWebhook(id: string): Promise<void> {
    return this.#send("delete", "/webhooks/{id}", { path: { id } });
  }

  /** Replace the secret of a webhook. For a day, requests are signed with both. */
  rotateWebhookSecret(id: string): Promise<Result<"/webhooks/{id}/rotate", "post">> {
    return this.#send("post", "/webhooks/{id}/rotate", { path: { id } });
  }

  /** Return a page of the deliveries of a webhook, newest first. */
  listWebhookDeliveries(
    id: string,
    query: Query<"/webhooks/{id}/deliveries", "get"> = {},
  ): Promise<Result<"/webhooks/{id}/deliveries", "get">> {
    return this.#send("get", "/webhooks/{id}/deliveries", { path: { id }, query });
  }

  /** Send a delivery again. */
  replayWebhookDelivery(
    id: string,
    deliveryId: string,
  ): Promise<Result<"/webhooks/{id}/deliveries/{deliveryId}/replay", "post">> {
    return this.#send("post", "/webhooks/{id}/deliveries/{deliveryId}/replay", { path: { id, deliveryId } });
  }

  async #send<P extends keyof paths, M extends Method>(method: M, path: P, call: Call = {}): Promise<Result<P, M>> {
    const request = this.#request(method, path, call);
    const repeatable = method !== "post" || call.key !== undefined;
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt > this.#retries;
      let response: Response;
      let body: unknown;
      try {
        response = await this.#fetch(request.url, { ...request.init, signal: AbortSignal.timeout(this.#timeoutMs) });
        const text = await response.text();
        body = text ? JSON.parse(text) : undefined;
      } catch (error) {
        if (isLast || !repeatable) throw error;
        await this.#sleep(delayMs(attempt));
        continue;
      }
      if (response.ok) return body as Result<P, M>;
      const error = new FastCheckError(response, (body ?? {}) as Partial<Schemas["ErrorBody"]>);
      if (isLast || !isTemporary(error, repeatable)) throw error;
      await this.#sleep(delayMs(attempt, error.retryAfterSeconds));
    }
  }

  #request(method: Method, template: string, call: Call): { url: string; init: RequestInit } {
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(call.path?.[name] ?? ""));
    const url = new URL(this.#url + path);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers: Record<string, string> = { Accept: "application/json" };
    if (this.#sessionId) headers["Authorization"] = `Bearer ${this.#sessionId}`;
    if (call.key !== undefined) headers["Idempotency-Key"] = call.key;
    const init: RequestInit = { method: method.toUpperCase(), headers, redirect: "manual" };
    if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(call.body);
    }
    return { url: url.href, init };
  }
}

function keyOf(option: KeyOption): string {
  return option.idempotencyKey ?? crypto.randomUUID();
}

function retryAfterSeconds(response: Response): number | undefined {
  const value = response.headers.get("Retry-After") ?? "";
  return /^\d+$/.test(value) ? Number(value) : undefined;
}

/** Whether the request is repeated after this response. A frozen check answers 429 too, and waiting does not help. */
function isTemporary(error: FastCheckError, repeatable: boolean): boolean {
  if (error.status === 429) return error.code === "too_many_requests" && error.retryAfterSeconds !== undefined;
  return repeatable && (error.status === 502 || error.status === 503 || error.code === "request_in_progress");
}

/** The delay after a failed attempt, the first of which is 1: `Retry-After`, or a growing random delay. */
function delayMs(attempt: number, askedSeconds?: number): number {
  if (askedSeconds !== undefined) return Math.min(askedSeconds * 1000, MAX_DELAY_MS);
  const most = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
  return most / 2 + (Math.random() * most) / 2;
}
