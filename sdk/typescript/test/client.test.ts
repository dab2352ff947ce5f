import assert from "node:assert/strict";
import { test } from "node:test";
import { FastCheck, FastCheckError } from "../src/index.js";

const CHECK = { fastcheck: "1234-5678-0001", amount: 15000, code: "5864" };

type Step = Error | [status: number, body: unknown, headers?: Record<string, string>];

interface Sent {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: unknown;
}

function api(...steps: Step[]): { client: FastCheck; sent: Sent[]; slept: number[] } {
  const sent: Sent[] = [];
  const slept: number[] = [];
  const fakeFetch: typeof fetch = async (url, init) => {
    const body = typeof init?.body === "string" ? JSON.parse(init.body) : undefined;
    sent.push({ url: String(url), method: init?.method ?? "", headers: init?.headers as Record<string, string>, body });
    const step = steps.shift();
    if (step === undefined) throw new Error("no more requests were expected");
    if (step instanceof Error) throw step;
    const [status, content, headers] = step;
    return new Response(content === undefined ? null : JSON.stringify(content), { status, headers: headers ?? {} });
  };
  const sleep = async (ms: number): Promise<void> => void slept.push(ms);
  return { client: new FastCheck("https://fastcheck.test/", { sessionId: "A".repeat(32), fetch: fakeFetch, sleep }), sent, slept };
}

const BUSY: Step = [503, { message: "busy", code: "temporarily_unavailable" }, { "Retry-After": "7" }];
const LIMITED: Step = [429, { message: "slow", code: "too_many_requests" }, { "Retry-After": "3" }];

test("a creation is repeated under one key", async () => {
  const { client, sent, slept } = api(new TypeError("lost"), BUSY, [409, { message: "", code: "request_in_progress" }], [201, CHECK]);
  assert.equal((await client.createCheck({ amount: 15000 })).fastcheck, CHECK.fastcheck);
  assert.equal(new Set(sent.map((request) => request.headers["Idempotency-Key"])).size, 1);
  assert.deepEqual(sent.map((request) => request.body), Array(4).fill({ amount: 15000 }));
  assert.equal(slept[1], 7000);
});

test("each creation has its own key or the given one", async () => {
  const { client, sent } = api([201, CHECK], [201, CHECK], [201, CHECK]);
  await client.createCheck({ amount: 1 });
  await client.createCheck({ amount: 1 });
  await client.createCheck({ amount: 1 }, { idempotencyKey: "mine" });
  assert.equal(new Set(sent.map((request) => request.headers["Idempotency-Key"])).size, 3);
  assert.equal(sent[2]?.headers["Idempotency-Key"], "mine");
});

test("a request that could act twice is not repeated", async () => {
  for (const step of [new TypeError("lost"), BUSY]) {
    const { client, sent } = api(step);
    await assert.rejects(client.logIn({ login: "anna", password: "correct horse" }));
    assert.equal(sent.length, 1);
  }
});

test("a limited request is repeated, and a session is used from then on", async () => {
  const { client, sent } = api(LIMITED, [200, { sessionID: "B".repeat(32) }], [200, { balance: 1, currency: "RUB" }]);
  await client.logIn({ login: "anna", password: "correct horse" });
  assert.equal((await client.getBalance({ currency: "RUB" })).balance, 1);
  assert.equal(sent[2]?.headers["Authorization"], `Bearer ${"B".repeat(32)}`);
  assert.equal(sent[2]?.url, "https://fastcheck.test/balance?currency=RUB");
});

test("a decision of the API is not repeated and tells what the API said", async () => {
  const body = { message: "frozen", code: "check_frozen", errors: { code: "is wrong" } };
  const { client, slept } = api([429, body, { "Retry-After": "900", "X-Request-ID": "r-1" }]);
  await assert.rejects(client.acceptCheck({ fastcheck: "1234-5678-0001", code: "5864" }), (error: unknown) => {
    assert.ok(error instanceof FastCheckError);
    assert.deepEqual([error.status, error.code, error.requestId, error.retryAfterSeconds], [429, "check_frozen", "r-1", 900]);
    assert.deepEqual(error.errors, body.errors);
    return true;
  });
  assert.deepEqual(slept, []);
});

test("attempts are limited", async () => {
  const { client, sent } = api(BUSY, BUSY, BUSY, BUSY);
  await assert.rejects(client.getMe(), FastCheckError);
  assert.equal(sent.length, 4);
});

test("values of the path are encoded, and a response without content is undefined", async () => {
  const { client, sent } = api([204, undefined]);
  assert.equal(await client.deleteWebhook("a/b"), undefined);
  assert.deepEqual([sent[0]?.method, sent[0]?.url], ["DELETE", "https://fastcheck.test/webhooks/a%2Fb"]);
});
