/**
 * Placing an order exactly once. A submission gets its idempotency key before it is first sent and keeps it, in the
 * browser's memory, until the API has accepted or refused it: whatever is tried again, by the page, by the reader,
 * after a reload or in another tab, is the same order. There is at most one such submission at a time.
 */

import { AUTOMATIC_TRIES, retryDelay } from "./pace.js";

/** A submission this old is not sent by itself when the page is opened: the reader is asked. */
const RESUMED_WITHIN_MS = 10 * 60 * 1000;

/** After these the network's return is a reason to try again at once; the others ask for patience. */
const MENDED_BY_NETWORK = ["offline", "unreachable", "timeout"];

/** A second click this soon after an order was accepted belongs to the first. */
const DOUBLE_CLICK_MS = 1000;

/** An idempotency key: 128 random bits. (crypto.randomUUID is missing where the page is served without TLS.) */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Sends the unsettled submission until it is settled. `onChange` is called with what there is to say:
 *   { phase: "sending", order }
 *   { phase: "waiting", order, reason, delay, maybePlaced }   sent again after `delay` seconds; null: once online
 *   { phase: "stopped", order, reason, maybePlaced }          left to the reader; reason null if nothing was tried yet
 *   { phase: "accepted", record }
 *   { phase: "refused", order, outcome }
 *   { phase: "idle" }                                         given up, or settled by another tab
 */
export class Submissions {
  #api;
  #memory;
  #onChange;
  /** The unsettled submission, as the browser's memory holds it; null where there is none. */
  #submission = null;
  /** Whether an earlier try may have been accepted without the page learning of it. */
  #maybePlaced = false;
  /** Why the last try failed, or null. */
  #reason = null;
  #sending = false;
  #tries = 0;
  #timer = 0;
  #acceptedAt = -Infinity;

  constructor({ api, memory, onChange }) {
    this.#api = api;
    this.#memory = memory;
    this.#onChange = onChange;
    addEventListener("online", () => {
      if (MENDED_BY_NETWORK.includes(this.#reason)) this.retry();
    });
  }

  /** Whether there is a submission to settle before another order can be placed. */
  get unsettled() {
    return this.#submission !== null;
  }

  /** Place an order, unless an earlier one is still to be settled: then that one is taken up instead. */
  place(order) {
    if (this.#sending || performance.now() - this.#acceptedAt < DOUBLE_CLICK_MS) return;
    const earlier = this.#memory.submission();
    this.#begin(earlier ?? { key: newKey(), order, started_at: new Date().toISOString() });
    this.#maybePlaced = earlier !== null;
    this.#memory.keepSubmission(this.#submission);
    this.retry();
  }

  /** Take up what an earlier visit left unsettled; return its order, or null. */
  resume() {
    const submission = this.#memory.submission();
    if (submission === null) return null;
    this.#begin(submission);
    this.#maybePlaced = true;
    const age = Date.now() - Date.parse(submission.started_at);
    if (age >= 0 && age < RESUMED_WITHIN_MS) this.retry();
    else this.#stop();
    return submission.order;
  }

  /** Take notice of what another tab did. */
  followOtherTab() {
    const remembered = this.#memory.submission();
    if (this.#sending || remembered?.key === this.#submission?.key) return;
    this.#end();
    if (remembered === null) {
      this.#onChange({ phase: "idle" });
    } else {
      this.#begin(remembered);
      this.#maybePlaced = true;
      this.#stop();
    }
  }

  /** Try again now. */
  retry() {
    if (this.#submission !== null && !this.#sending) this.#send();
  }

  /** Give the submission up; it may have been placed all the same. */
  abandon() {
    if (this.#submission === null || this.#sending) return;
    this.#memory.forgetSubmission(this.#submission.key);
    this.#end();
    this.#onChange({ phase: "idle" });
  }

  #begin(submission) {
    this.#submission = submission;
    this.#tries = 0;
    this.#reason = null;
  }

  #end() {
    clearTimeout(this.#timer);
    this.#submission = null;
    this.#reason = null;
  }

  async #send() {
    clearTimeout(this.#timer);
    this.#sending = true;
    const { key, order } = this.#submission;
    this.#onChange({ phase: "sending", order });
    const outcome = await this.#api.submit(order, key);
    this.#sending = false;
    if (outcome.kind === "accepted") this.#accept(outcome.orderId);
    else if (outcome.kind === "refused") this.#refuse(outcome);
    else this.#wait(outcome);
  }

  #accept(orderId) {
    const { key, order } = this.#submission;
    const now = new Date().toISOString();
    // Another tab may have had the same answer, and seen more of the order since.
    const record = this.#memory.order(orderId) ?? {
      order_id: orderId,
      order,
      state: "ACCEPTED",
      placed_at: now,
      accepted_at: now,
      processed_at: null,
    };
    // In this order: should the page close in between, the key is still there and finds the same order again.
    this.#memory.keepOrder(record);
    this.#memory.forgetSubmission(key);
    this.#acceptedAt = performance.now();
    this.#end();
    this.#onChange({ phase: "accepted", record });
  }

  #refuse(outcome) {
    const { key, order } = this.#submission;
    this.#memory.forgetSubmission(key);
    this.#end();
    this.#onChange({ phase: "refused", order, outcome });
  }

  #wait({ reason, retryAfter, maybePlaced, automatic }) {
    this.#reason = reason;
    this.#maybePlaced ||= maybePlaced;
    if (reason === "offline") {
      this.#onChange({ phase: "waiting", ...this.#state(), delay: null });
      return;
    }
    this.#tries += 1;
    if (!automatic || this.#tries >= AUTOMATIC_TRIES) {
      this.#stop();
      return;
    }
    const delay = retryDelay(this.#tries, retryAfter);
    this.#timer = setTimeout(() => this.#send(), delay * 1000);
    this.#onChange({ phase: "waiting", ...this.#state(), delay });
  }

  #stop() {
    this.#tries = 0;
    this.#onChange({ phase: "stopped", ...this.#state() });
  }

  #state() {
    return { order: this.#submission.order, reason: this.#reason, maybePlaced: this.#maybePlaced };
  }
}
