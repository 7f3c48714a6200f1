/**
 * Places each order once. A submission is stored with its idempotency key before it is sent, and kept until the API has
 * accepted or rejected it. So every retry places the same order: by the page, by the customer, after a reload or in
 * another tab. At most one submission is pending per browser, and only the tab that holds it sends it.
 */

import { SUBMIT_TIMEOUT_SECONDS } from "./api.js";
import { AUTOMATIC_ATTEMPTS, retryDelay } from "./backoff.js";

/** After a reload, an older submission is not retried without asking the customer. */
const RESUME_WITHIN_MS = 10 * 60 * 1000;

/** After these failures, a retry is useful as soon as the network is back. */
const NETWORK_FAILURES = ["offline", "unreachable", "timeout"];

/** While the browser reports no network, retry this often: the report can be wrong. */
const OFFLINE_RETRY_SECONDS = 30;

/** If a tab crashes, its hold expires this long after its next attempt was due. */
const HOLD_MARGIN_MS = 2000 + SUBMIT_TIMEOUT_SECONDS * 1000;
const MAXIMUM_HOLD_MS = 3600 * 1000 + HOLD_MARGIN_MS;

/** Random hexadecimal digits. (crypto.randomUUID does not exist on pages without TLS.) */
function randomHex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Sends the pending submission until it is accepted, rejected or abandoned. Calls `onChange` with one of
 *   { phase: "sending", order }
 *   { phase: "waiting", order, reason, delay, maybePlaced }   retried after `delay` seconds; null: once online
 *   { phase: "stopped", order, reason, maybePlaced }          the customer decides; reason null if nothing was sent
 *   { phase: "elsewhere", order }                             another tab holds it
 *   { phase: "accepted", record }
 *   { phase: "rejected", order, outcome }
 *   { phase: "withdrawn", order, maybePlaced }                another tab finished or abandoned this tab's submission
 *   { phase: "idle" }                                         abandoned here, or finished by the tab that held it
 */
export class Submissions {
  #api;
  #storage;
  #onChange;
  #tab = randomHex(4);
  /** The pending submission as it is stored, or null. */
  #submission = null;
  /** Whether this tab sends it. */
  #isHere = false;
  /** Whether an attempt may have been accepted although the page received no response. */
  #maybePlaced = false;
  #reason = null;
  #isSending = false;
  /** While the page closes, its requests fail; these failures must not make it hold the submission again. */
  #isClosing = false;
  #attempts = 0;
  #timer = 0;

  constructor({ api, storage, onChange }) {
    this.#api = api;
    this.#storage = storage;
    this.#onChange = onChange;
    addEventListener("online", () => {
      if (NETWORK_FAILURES.includes(this.#reason)) this.retry();
    });
    addEventListener("pagehide", () => {
      this.#release();
      this.#isClosing = true;
    });
    addEventListener("pageshow", () => (this.#isClosing = false));
  }

  /** Whether a submission is pending, here or in another tab. */
  get isPending() {
    return this.#submission !== null;
  }

  /** Place an order, unless another submission turns out to be pending. */
  place(order) {
    this.follow();
    if (this.#submission !== null) return;
    // The first write already names the holder: other tabs must not take the submission over.
    const holder = this.#holdFor(0);
    this.#begin({ key: randomHex(16), order, started_at: new Date().toISOString(), holder }, false);
    this.#storage.saveSubmission(this.#submission);
    this.retry();
  }

  /** Continue the submission of an earlier visit. */
  resume() {
    this.follow();
    if (!this.#isHere) return;
    const age = Date.now() - Date.parse(this.#submission.started_at);
    if (age >= 0 && age < RESUME_WITHIN_MS) this.retry();
  }

  /** Synchronize with storage: another tab may have begun, taken over, finished or abandoned a submission. */
  follow() {
    if (this.#isSending) return;
    const stored = this.#storage.submission();
    if (stored === null) {
      if (this.#submission === null) return;
      const change = this.#isHere ? { phase: "withdrawn", ...this.#state() } : { phase: "idle" };
      this.#end();
      this.#onChange(change);
    } else if (this.#isHeldElsewhere(stored)) {
      const isKnown = !this.#isHere && this.#submission?.key === stored.key;
      this.#begin(stored, true);
      this.#isHere = false;
      this.#timer = setTimeout(() => this.follow(), stored.holder.until - Date.now() + 1);
      if (!isKnown) this.#onChange({ phase: "elsewhere", order: stored.order });
    } else if (!this.#isHere || this.#submission.key !== stored.key) {
      this.#begin(stored, true);
      this.#stop();
    }
  }

  /** Send the submission now. */
  retry() {
    if (this.#isHere && !this.#isSending) this.#send();
  }

  /** Abandon the submission; it may have been placed already. */
  abandon() {
    if (this.#submission === null || this.#isSending) return;
    this.#storage.deleteSubmission(this.#submission.key);
    this.#end();
    this.#onChange({ phase: "idle" });
  }

  #begin(submission, maybePlaced) {
    this.#end();
    this.#submission = submission;
    this.#isHere = true;
    this.#maybePlaced = maybePlaced;
  }

  #end() {
    clearTimeout(this.#timer);
    this.#submission = null;
    this.#isHere = false;
    this.#reason = null;
    this.#attempts = 0;
  }

  /** Synchronize with storage, and return whether this tab still holds this submission. */
  #isStillHeld() {
    const { key } = this.#submission;
    this.follow();
    return this.#isHere && this.#submission.key === key;
  }

  #isHeldElsewhere({ holder }) {
    if (!holder || holder.tab === this.#tab) return false;
    const left = holder.until - Date.now();
    return left > 0 && left <= MAXIMUM_HOLD_MS;
  }

  #holdFor(delay) {
    return { tab: this.#tab, until: Date.now() + delay * 1000 + HOLD_MARGIN_MS };
  }

  /** Store that this tab holds the submission for its next attempt in `delay` seconds. */
  #hold(delay) {
    if (this.#isHere && !this.#isClosing) this.#storage.saveSubmission({ ...this.#submission, holder: this.#holdFor(delay) });
  }

  /** Let any tab hold the submission, unless another tab already holds it. */
  #release() {
    const stored = this.#storage.submission();
    if (stored?.holder?.tab === this.#tab) this.#storage.saveSubmission({ ...stored, holder: null });
  }

  async #send() {
    clearTimeout(this.#timer);
    if (!this.#isStillHeld()) return;
    this.#isSending = true;
    this.#hold(0);
    const { key, order } = this.#submission;
    this.#onChange({ phase: "sending", order });
    const outcome = await this.#api.submit(order, key);
    this.#isSending = false;
    if (outcome.kind === "accepted") this.#accept(outcome.orderId);
    else if (outcome.kind === "rejected") this.#reject(outcome);
    else this.#wait(outcome);
  }

  #accept(orderId) {
    const { key, order } = this.#submission;
    // Another tab may have stored the order already.
    const record = this.#storage.order(orderId) ?? {
      order_id: orderId,
      order,
      state: "ACCEPTED",
      placed_at: this.#storage.nextPlacedAt(),
      accepted_at: new Date().toISOString(),
      processed_at: null,
    };
    // In this order: if the page closes in between, a retry with the stored key gets the same order.
    this.#storage.saveOrder(record);
    this.#storage.saveCustomerId(order.customer_id);
    this.#storage.prune();
    this.#storage.deleteSubmission(key);
    this.#end();
    this.#onChange({ phase: "accepted", record });
    this.follow();
  }

  #reject(outcome) {
    const { key, order } = this.#submission;
    this.#storage.deleteSubmission(key);
    this.#end();
    this.#onChange({ phase: "rejected", order, outcome });
    this.follow();
  }

  #wait({ reason, retryAfter, maybePlaced, isRetryable }) {
    this.#reason = reason;
    this.#maybePlaced ||= maybePlaced;
    if (!this.#isStillHeld()) return;
    const isOffline = reason === "offline";
    if (!isOffline) this.#attempts += 1;
    if (!isRetryable || this.#attempts >= AUTOMATIC_ATTEMPTS) {
      this.#stop();
      return;
    }
    const delay = isOffline ? OFFLINE_RETRY_SECONDS : retryDelay(this.#attempts, retryAfter);
    this.#hold(delay);
    this.#timer = setTimeout(() => this.retry(), delay * 1000);
    this.#onChange({ phase: "waiting", ...this.#state(), delay: isOffline ? null : delay });
  }

  #stop() {
    this.#attempts = 0;
    this.#release();
    this.#onChange({ phase: "stopped", ...this.#state() });
  }

  #state() {
    return { order: this.#submission.order, reason: this.#reason, maybePlaced: this.#maybePlaced };
  }
}
