// Register, top up, create and accept a check with the generated types: node built/flow.js URL
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./api.js";

type ErrorBody = components["schemas"]["ErrorBody"];
type Api = Client<paths>;

const url = process.argv[2] ?? "";
const CARD = { card_number: "4111 1111 1111 1111", expiry: "12/30", cvc: "123" };
const DEADLINE_MS = 30_000;

function must<T>(result: { data?: T; error?: ErrorBody; response: Response }): T {
  if (result.data === undefined) {
    const code: string | undefined = result.error?.code;
    throw new Error(`${result.response.url}: ${result.response.status} ${code ?? "no code"}`);
  }
  return result.data;
}

function assertEqual(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${String(actual)} is not ${String(expected)}`);
}

async function signUp(name: string): Promise<Api> {
  const guest = createClient<paths>({ baseUrl: url });
  const body = { login: `${name}-${crypto.randomUUID().slice(0, 8)}`, password: crypto.randomUUID() };
  const session = must(await guest.POST("/register", { body }));
  return createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${session.sessionID}` } });
}

async function balanceOf(user: Api): Promise<number> {
  return must(await user.GET("/balance")).balance;
}

function key(): { header: { "Idempotency-Key": string } } {
  return { header: { "Idempotency-Key": crypto.randomUUID() } };
}

async function topUp(user: Api, amount: number): Promise<void> {
  const body = { amount, returnUrl: `${url}/top-up` };
  const started = must(await user.POST("/topup", { params: key(), body }));
  await fetch(started.paymentUrl, { method: "POST", body: new URLSearchParams(CARD), redirect: "manual" });
  const deadline = Date.now() + DEADLINE_MS;
  while ((await balanceOf(user)) < amount) {
    if (Date.now() > deadline) throw new Error("the top-up did not arrive");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const path = { transactionID: started.transactionID };
  assertEqual(must(await user.GET("/topup/{transactionID}", { params: { path } })).status, "confirmed");
}

const anna = await signUp("anna");
const boris = await signUp("boris");
await topUp(anna, 50_000);

const params = key();
const check = must(await anna.POST("/fastcheck", { params, body: { amount: 15_000 } }));
const repeated = await anna.POST("/fastcheck", { params, body: { amount: 15_000 } });
assertEqual(must(repeated).fastcheck, check.fastcheck);
assertEqual(repeated.response.headers.get("Idempotency-Replayed"), "true");

const { fastcheck, code } = check;
const accepted = must(await boris.POST("/fastcheck/accept", { params: key(), body: { fastcheck, code } }));
assertEqual(accepted.status, "used");
assertEqual(await balanceOf(anna), 35_000);
assertEqual(await balanceOf(boris), 15_000);

const refused = await boris.POST("/fastcheck", { params: key(), body: { amount: 15_001 } });
assertEqual(refused.error?.code, "insufficient_funds");
const nobody = createClient<paths>({ baseUrl: url });
assertEqual(JSON.stringify((await nobody.GET("/balance")).error), '{"message":"not authorized"}');
const history = must(await boris.GET("/fastcheck/history", { params: { query: { limit: 1 } } }));
assertEqual(history.checks[0]?.acceptedAt, accepted.acceptedAt);
const next: string | undefined = history.nextCursor;
assertEqual(next, undefined);
console.log("accepted");
