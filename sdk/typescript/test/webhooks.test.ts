import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { InvalidWebhookError, verify } from "../src/index.js";

const SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW = 1_800_000_000;
const BODY = JSON.stringify({ type: "check.accepted", timestamp: "2026-01-19T09:08:18Z", data: { note: "На обед" } });

function sign(secret: string, body = BODY, at = NOW): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  return `v1,${createHmac("sha256", key).update(`msg_1.${at}.${body}`).digest("base64")}`;
}

function headers(signature: string, at = NOW): Record<string, string> {
  return { "Webhook-Id": "msg_1", "webhook-timestamp": String(at), "webhook-signature": signature };
}

test("the example of the specification is authentic", async () => {
  const body = '{"test": 2432232314}';
  const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  const given = { "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": signature };
  assert.equal((await verify(OTHER, given, body, 1_614_265_330)).messageId, "msg_p5jXN8AQM9LWM0D4loKWxJek");
});

test("an authentic webhook is read, from plain headers and from Headers", async () => {
  for (const given of [headers(sign(SECRET)), new Headers(headers(sign(SECRET)))]) {
    const event = await verify(SECRET, given, BODY, NOW);
    assert.deepEqual(event, { messageId: "msg_1", ...JSON.parse(BODY) });
  }
});

test("one of several signatures is enough", async () => {
  const event = await verify(SECRET, headers(`v1a,xxxx v1,* ${sign(OTHER)} ${sign(SECRET)}`), BODY, NOW);
  assert.equal(event.type, "check.accepted");
});

test("any change is rejected", async () => {
  const good = headers(sign(SECRET));
  const changed: [Record<string, string>, string][] = [
    [{ ...good, "Webhook-Id": "msg_2" }, BODY],
    [{ ...good, "webhook-timestamp": String(NOW + 1) }, BODY],
    [{ ...good, "webhook-timestamp": "soon" }, BODY],
    [{ ...good, "webhook-signature": "v1,AAAA" }, BODY],
    [{ ...good, "webhook-signature": sign(OTHER) }, BODY],
    [{ "Webhook-Id": "msg_1" }, BODY],
    [good, BODY.replace("accepted", "expired")],
  ];
  for (const [given, body] of changed) await assert.rejects(verify(SECRET, given, body, NOW), InvalidWebhookError);
});

test("a recorded request is rejected later", async () => {
  const given = headers(sign(SECRET));
  await verify(SECRET, given, BODY, NOW + 299);
  for (const now of [NOW - 301, NOW + 301]) await assert.rejects(verify(SECRET, given, BODY, now), InvalidWebhookError);
});
