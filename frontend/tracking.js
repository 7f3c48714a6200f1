/** Polls accepted orders until each is processed: while the page is visible, and no sooner than the API allows. */

import { pollDelay } from "./backoff.js";

/** Most orders are processed by the first poll. */
const FIRST_POLL_MS = 600;
const CONCURRENT_POLLS = 4;

/** Follows the accepted orders in storage. `onChange(record)` is called after every poll. */
export class Tracking {
  #api;
  #storage;
  #onChange;
  /** By order id: { polls, dueAt, notBefore, isBusy, failure }; times are milliseconds of performance.now(). */
  #followed = new Map();
  #busy = 0;
  #timer = 0;

  constructor({ api, storage, onChange }) {
    this.#api = api;
    this.#storage = storage;
    this.#onChange = onChange;
    document.addEventListener("visibilitychange", () => this.#wake());
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.#wake());
  }

  /** Follow every accepted order that is not followed yet. */
  follow() {
    const dueAt = performance.now() + FIRST_POLL_MS;
    for (const { state, order_id } of this.#storage.orders()) {
      if (state === "ACCEPTED" && !this.#followed.has(order_id)) {
        this.#followed.set(order_id, { polls: 0, dueAt, notBefore: 0, isBusy: false, failure: null });
      }
    }
    this.#schedule();
  }

  /** Why the last poll of this order failed, or null. */
  failure(orderId) {
    return this.#followed.get(orderId)?.failure ?? null;
  }

  /** The page is visible again, or the network has changed: poll as soon as the API allows. */
  #wake() {
    for (const followed of this.#followed.values()) {
      followed.polls = 0;
      followed.dueAt = followed.notBefore;
    }
    this.#schedule();
  }

  /** Start polls that are due; set one timer for the next. */
  #schedule() {
    clearTimeout(this.#timer);
    if (document.hidden) return; // until #wake
    let next = Infinity;
    for (const [orderId, { dueAt, isBusy }] of this.#followed) {
      if (this.#busy >= CONCURRENT_POLLS) return; // until a poll has ended
      if (isBusy) continue;
      if (dueAt <= performance.now()) this.#poll(orderId);
      else next = Math.min(next, dueAt);
    }
    if (next < Infinity) this.#timer = setTimeout(() => this.#schedule(), Math.ceil(next - performance.now()));
  }

  async #poll(orderId) {
    const followed = this.#followed.get(orderId);
    followed.isBusy = true;
    this.#busy += 1;
    const outcome = await this.#api.status(orderId);
    this.#busy -= 1;
    followed.isBusy = false;
    followed.polls += 1;
    const now = performance.now();
    followed.notBefore = now + (outcome.retryAfter ?? 0) * 1000;
    followed.dueAt = now + pollDelay(followed.polls, outcome.retryAfter) * 1000;

    // Read again: another tab may have deleted or updated the order.
    const record = this.#storage.order(orderId);
    const updated = record?.state === "ACCEPTED" ? update(record, outcome) : record;
    if (updated !== record) this.#storage.saveOrder(updated);
    followed.failure = outcome.kind === "failed" ? outcome.reason : null;
    if (updated?.state !== "ACCEPTED") this.#followed.delete(orderId);
    if (updated !== null) this.#onChange(updated);
    this.#schedule();
  }
}

/** The order after this outcome; the same object if nothing has changed. */
function update(record, outcome) {
  if (outcome.kind === "unknown") return { ...record, state: "UNKNOWN" };
  if (outcome.kind !== "processed") return record;
  return {
    ...record,
    state: "PROCESSED",
    // Use the shop's timestamps from now on: this machine's clock may be wrong.
    accepted_at: outcome.submittedAt ?? record.accepted_at,
    processed_at: outcome.processedAt ?? new Date().toISOString(),
  };
}
