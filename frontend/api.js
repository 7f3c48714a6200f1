/** A client of the order API. Every request returns one of a few outcomes, even without a response; it never throws. */

import { readRetryAfter } from "./backoff.js";

/** A submission is aborted after this time. */
export const SUBMIT_TIMEOUT_SECONDS = 15;
const STATUS_TIMEOUT_SECONDS = 10;

const ORDER_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIMESTAMP = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}(?:Z|[+-][0-9]{2}:[0-9]{2})$/;
const MAXIMUM_TEXT_LENGTH = 300;
const MAXIMUM_ERRORS = 20;

/** Whether `value` is an order id. */
export const isOrderId = (value) => typeof value === "string" && ORDER_ID.test(value);

/** Whether `value` is an RFC 3339 timestamp as the API writes it. */
export const isTimestamp = (value) =>
  typeof value === "string" && TIMESTAMP.test(value) && !Number.isNaN(Date.parse(value));

/** `value` as displayable text: shortened, without control and formatting characters; empty if it is not a string. */
function displayText(value) {
  if (typeof value !== "string") return "";
  const plain = value.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]+/gu, " ").trim();
  return plain.length > MAXIMUM_TEXT_LENGTH ? `${plain.slice(0, MAXIMUM_TEXT_LENGTH)}…` : plain;
}

/** The API's address from config.js, without a trailing slash; null if it is not a plain http(s) address. */
export function readApiUrl(config) {
  const text = config?.apiUrl;
  if (typeof text !== "string") return null;
  try {
    const { protocol, origin, pathname, username, password, search, hash } = new URL(text);
    const isValid = /^https?:$/.test(protocol) && !username && !password && !search && !hash;
    return isValid ? origin + pathname.replace(/\/+$/, "") : null;
  } catch {
    return null;
  }
}

/** A client of the order API at one address, which comes from readApiUrl. */
export class OrderApi {
  #apiUrl;

  constructor(apiUrl) {
    this.#apiUrl = apiUrl;
  }

  /**
   * Submit an order under its idempotency key. Returns one of
   *   { kind: "accepted", orderId }
   *   { kind: "rejected", detail, errors: [{ pointer, detail }], requestId }   not placed, and a retry cannot help
   *   { kind: "unconfirmed", reason, retryAfter, maybePlaced, isRetryable }   to be retried under the same key
   */
  async submit(order, key) {
    const response = await this.#request("/orders", SUBMIT_TIMEOUT_SECONDS, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify(order),
    });
    if (response.failure) return unconfirmed(response.failure);
    const { status, document, retryAfter } = response;
    if (status === 202 && isOrderId(document?.order_id)) return { kind: "accepted", orderId: document.order_id };
    if (status === 429) return unconfirmed("throttled", { retryAfter, maybePlaced: false });
    if (status === 503) return unconfirmed("unavailable", { retryAfter });
    if (status >= 500 || status === 408) return unconfirmed("failed", { retryAfter });
    // Not problem details of this API but a response of, for example, a proxy: the order may still be accepted.
    if (status < 400 || typeof document?.code !== "string") return unconfirmed("unexpected_response", { isRetryable: false });
    const detail = displayText(document.detail) || displayText(document.title) || displayText(document.code);
    return {
      kind: "rejected",
      detail: detail || "The shop rejected this order without a reason.",
      errors: readErrors(document.errors),
      requestId: displayText(document.request_id),
    };
  }

  /**
   * Request the status of an order. Returns one of
   *   { kind: "processed", submittedAt, processedAt }   a time is null if it is invalid
   *   { kind: "pending", retryAfter }
   *   { kind: "unknown" }                               the API never issued this id
   *   { kind: "failed", reason, retryAfter }
   */
  async status(orderId) {
    const response = await this.#request(`/orders/${orderId}`, STATUS_TIMEOUT_SECONDS, {});
    if (response.failure) return { kind: "failed", reason: response.failure, retryAfter: null };
    const { status, document, retryAfter } = response;
    if (status === 200 && document?.order_id === orderId) {
      if (document.status === "PENDING") return { kind: "pending", retryAfter };
      if (document.status === "PROCESSED") {
        const timestamp = (value) => (isTimestamp(value) ? value : null);
        return {
          kind: "processed",
          submittedAt: timestamp(document.submitted_at),
          processedAt: timestamp(document.processed_at),
        };
      }
    }
    if (status === 404 && document?.code === "ORDER_NOT_FOUND") return { kind: "unknown" };
    const reason = status === 429 ? "throttled" : status >= 500 ? "unavailable" : "unexpected_response";
    return { kind: "failed", reason, retryAfter };
  }

  /** Fetch a response and parse its JSON within the timeout. */
  async #request(path, timeoutSeconds, options) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeoutSeconds * 1000);
    try {
      const response = await fetch(this.#apiUrl + path, {
        ...options,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: abort.signal,
      });
      const text = await response.text();
      const retryAfter = readRetryAfter(response.headers.get("Retry-After"), new Date());
      return { status: response.status, document: readJson(text), retryAfter };
    } catch {
      // onLine only explains a failure: it can be false although the API is reachable.
      return { failure: abort.signal.aborted ? "timeout" : navigator.onLine ? "unreachable" : "offline" };
    } finally {
      clearTimeout(timer);
    }
  }
}

function unconfirmed(reason, { retryAfter = null, maybePlaced = true, isRetryable = true } = {}) {
  return { kind: "unconfirmed", reason, retryAfter, maybePlaced, isRetryable };
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function readErrors(errors) {
  if (!Array.isArray(errors)) return [];
  return errors
    .slice(0, MAXIMUM_ERRORS)
    .map((error) => ({ pointer: displayText(error?.pointer), detail: displayText(error?.detail) }))
    .filter((error) => error.detail !== "");
}
