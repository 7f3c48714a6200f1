/** The order API over HTTP: every answer, and the lack of one, becomes one of a few outcomes. Nothing here throws. */

import { readRetryAfter } from "./pace.js";

const SUBMIT_TIMEOUT_SECONDS = 15;
const STATUS_TIMEOUT_SECONDS = 10;

const ORDER_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const MOMENT = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}(?:Z|[+-][0-9]{2}:[0-9]{2})$/;

/** The longest text of a server that is shown. */
const LONGEST_TEXT = 300;

/** Whether `value` is an order id. */
export const isOrderId = (value) => typeof value === "string" && ORDER_ID.test(value);

/** Whether `value` is a moment as the API writes it (RFC 3339). */
export const isMoment = (value) =>
  typeof value === "string" && MOMENT.test(value) && !Number.isNaN(Date.parse(value));

/**
 * A text from outside as it may be shown: of bounded length, and without the characters that reorder or hide the
 * ones around them. Empty for anything but a text.
 */
function shownText(value) {
  if (typeof value !== "string") return "";
  const plain = value.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]+/gu, " ").trim();
  return plain.length > LONGEST_TEXT ? `${plain.slice(0, LONGEST_TEXT)}…` : plain;
}

/** The API's address out of config.js: http(s), without a trailing slash; null where it is not one. */
export function readApiUrl(config) {
  const text = config?.apiUrl;
  if (typeof text !== "string") return null;
  try {
    const { protocol, origin, pathname, username, password, search, hash } = new URL(text);
    const usable = /^https?:$/.test(protocol) && !username && !password && !search && !hash;
    return usable ? origin + pathname.replace(/\/+$/, "") : null;
  } catch {
    return null;
  }
}

/** The order API at one address. `apiUrl` comes from readApiUrl. */
export class OrderApi {
  #apiUrl;

  constructor(apiUrl) {
    this.#apiUrl = apiUrl;
  }

  /**
   * Submit an order under its idempotency key. Comes to one of
   *   { kind: "accepted", orderId }
   *   { kind: "refused", detail, errors: [{ pointer, detail }], requestId }   it was not placed, nor would it be
   *   { kind: "unsettled", reason, retryAfter, maybePlaced, automatic }       to be tried again under the same key
   */
  async submit(order, key) {
    const answer = await this.#ask("/orders", SUBMIT_TIMEOUT_SECONDS, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify(order),
    });
    if (answer.kind === "silence") {
      return unsettled(answer.reason, { maybePlaced: answer.reason !== "offline" });
    }
    const { status, document, retryAfter } = answer;
    if (status === 202 && isOrderId(document?.order_id)) return { kind: "accepted", orderId: document.order_id };
    if (status === 429) return unsettled("throttled", { retryAfter, maybePlaced: false });
    if (status === 503) return unsettled("unavailable", { retryAfter });
    if (status >= 500 || status === 408) return unsettled("failed", { retryAfter });
    // Not this API's word, but that of something on the way to it: nothing is settled by that.
    if (status < 400 || !isProblem(document)) return unsettled("strange", { automatic: false });
    return {
      kind: "refused",
      detail: shownText(document.detail) || shownText(document.title) || shownText(document.code),
      errors: readErrors(document.errors),
      requestId: shownText(document.request_id),
    };
  }

  /**
   * Ask what became of an order. Comes to one of
   *   { kind: "processed", submittedAt, processedAt }   the times null where they cannot be read
   *   { kind: "pending", retryAfter }
   *   { kind: "unknown" }                               the API never issued this id
   *   { kind: "unanswered", reason, retryAfter }
   */
  async status(orderId) {
    const answer = await this.#ask(`/orders/${orderId}`, STATUS_TIMEOUT_SECONDS, {});
    if (answer.kind === "silence") return { kind: "unanswered", reason: answer.reason, retryAfter: null };
    const { status, document, retryAfter } = answer;
    if (status === 200 && document?.order_id === orderId) {
      if (document.status === "PENDING") return { kind: "pending", retryAfter };
      if (document.status === "PROCESSED") {
        const moment = (value) => (isMoment(value) ? value : null);
        return {
          kind: "processed",
          submittedAt: moment(document.submitted_at),
          processedAt: moment(document.processed_at),
        };
      }
    }
    if (status === 404 && document?.code === "ORDER_NOT_FOUND") return { kind: "unknown" };
    const reason = status === 429 ? "throttled" : status >= 500 ? "unavailable" : "strange";
    return { kind: "unanswered", reason, retryAfter };
  }

  /** Fetch and read the answer's JSON, all within the timeout. */
  async #ask(path, timeoutSeconds, options) {
    if (!navigator.onLine) return { kind: "silence", reason: "offline" };
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
      return { kind: "answer", status: response.status, document: readJson(text), retryAfter };
    } catch {
      return { kind: "silence", reason: abort.signal.aborted ? "timeout" : "unreachable" };
    } finally {
      clearTimeout(timer);
    }
  }
}

function unsettled(reason, { retryAfter = null, maybePlaced = true, automatic = true } = {}) {
  return { kind: "unsettled", reason, retryAfter, maybePlaced, automatic };
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether a document is problem details (RFC 9457) as this API writes them. */
const isProblem = (document) => typeof document === "object" && document !== null && typeof document.code === "string";

function readErrors(errors) {
  if (!Array.isArray(errors)) return [];
  return errors
    .slice(0, 20)
    .map((error) => ({ pointer: shownText(error?.pointer), detail: shownText(error?.detail) }))
    .filter((error) => error.detail !== "");
}
