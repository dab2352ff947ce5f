export { FastCheck, FastCheckError } from "./client.js";
export type { Body, KeyOption, Options, Query, Result, Schemas } from "./client.js";
export { InvalidWebhookError, verify } from "./webhooks.js";
export type { WebhookEvent } from "./webhooks.js";
