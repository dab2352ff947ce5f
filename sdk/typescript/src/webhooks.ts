/** Authenticate the webhooks that FastCheck sends, which follow the Standard Webhooks specification. */

/** A timestamp further from the clock than this is rejected: a recorded request cannot be sent again later. */
const TOLERANCE_SECONDS = 300;
const PREFIX = "whsec_";

/** The request is not from FastCheck, or is too old. Respond with 400 and do nothing. */
export class InvalidWebhookError extends Error {
  override name = "InvalidWebhookError";
}

/** An authentic event. `messageId` is the same in every attempt to deliver it: store it to ignore repeats. */
export interface WebhookEvent {
  messageId: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}

/**
 * Return the event of a request; throw InvalidWebhookError.
 *
 * `secret` is that of the webhook (`whsec_…`), `body` the text as it was received, and `now` the time in seconds since 1970.
 */
export async function verify(
  secret: string,
  headers: Headers | Record<string, string | undefined>,
  body: string,
  now: number = Date.now() / 1000,
): Promise<WebhookEvent> {
  const get = headers instanceof Headers ? (name: string) => headers.get(name) : finder(headers);
  const [messageId, timestamp, signatures] = [get("webhook-id"), get("webhook-timestamp"), get("webhook-signature")];
  if (!messageId || !timestamp || !signatures || !/^\d+$/.test(timestamp)) {
    throw new InvalidWebhookError("a header is missing or malformed");
  }
  if (Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) {
    throw new InvalidWebhookError("the timestamp is too far from the clock of this machine");
  }
  const key = await crypto.subtle.importKey(
    "raw",
    decoded(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const content = new TextEncoder().encode(`${messageId}.${timestamp}.${body}`);
  for (const signature of signatures.split(" ")) {
    // `verify` of WebCrypto compares in constant time.
    const bytes = signature.startsWith("v1,") ? tryDecoded(signature.slice(3)) : undefined;
    if (bytes && (await crypto.subtle.verify("HMAC", key, bytes, content))) {
      const event = JSON.parse(body) as Omit<WebhookEvent, "messageId">;
      return { messageId, type: event.type, timestamp: event.timestamp, data: event.data };
    }
  }
  throw new InvalidWebhookError("no signature matches");
}

function finder(headers: Record<string, string | undefined>): (name: string) => string | undefined {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => lower.get(name);
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function tryDecoded(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return decoded(base64);
  } catch {
    return undefined;
  }
}
