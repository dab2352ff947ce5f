// Register, top up, create and accept a check with the SDK: node built/flow.js URL
import { FastCheck, FastCheckError } from "../src/index.js";

const url = process.argv[2] ?? "";
const CARD = { card_number: "4111 1111 1111 1111", expiry: "12/30", cvc: "123" };
const DEADLINE_MS = 30_000;

function assertEqual(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${String(actual)} is not ${String(expected)}`);
}

async function signUp(name: string): Promise<FastCheck> {
  const user = new FastCheck(url);
  await user.register({ login: `${name}-${crypto.randomUUID().slice(0, 8)}`, password: crypto.randomUUID() });
  return user;
}

async function topUp(user: FastCheck, amount: number): Promise<void> {
  const started = await user.createTopUp({ amount, returnUrl: `${url}/top-up` });
  await fetch(started.paymentUrl, { method: "POST", body: new URLSearchParams(CARD), redirect: "manual" });
  const deadline = Date.now() + DEADLINE_MS;
  while ((await user.getBalance()).balance < amount) {
    if (Date.now() > deadline) throw new Error("the top-up did not arrive");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEqual((await user.getTopUp(started.transactionID)).status, "confirmed");
}

const anna = await signUp("anna");
const boris = await signUp("boris");
await topUp(anna, 50_000);
const option = { idempotencyKey: crypto.randomUUID() };
const check = await anna.createCheck({ amount: 15_000 }, option);
assertEqual((await anna.createCheck({ amount: 15_000 }, option)).fastcheck, check.fastcheck);
const accepted = await boris.acceptCheck({ fastcheck: check.fastcheck, code: check.code });
assertEqual((await anna.getBalance()).balance, 35_000);
assertEqual((await boris.getBalance()).balance, 15_000);
assertEqual((await boris.listHistory({ limit: 1 })).checks[0]?.acceptedAt, accepted.acceptedAt);
try {
  await boris.createCheck({ amount: 15_001 });
  throw new Error("a check without money was created");
} catch (error) {
  if (!(error instanceof FastCheckError)) throw error;
  assertEqual(error.code, "insufficient_funds");
}
await boris.logOut();
process.stdout.write("accepted\n");
