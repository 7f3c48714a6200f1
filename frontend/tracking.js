/** Looking after accepted orders until each is processed: while the page is seen, and not more often than is asked. */

import { pollDelay } from "./pace.js";

/** The first look after an order was accepted: most are processed by then. */
const FIRST_LOOK_SECONDS = 0.6;

/** So many orders are asked for at once. */
const LOOKS_AT_ONCE = 4;

/** Follows the accepted orders in the browser's memory. `onChange(record)` is called after every look at one. */
export class Tracking {
  #api;
  #memory;
  #onChange;
  /**
   * Of each followed order: how often it was looked at, its timer, when the API wants to be asked again at the
   * earliest, whether a look is under way, and why the last one failed, if it did.
   */
  #followed = new Map();
  #looking = 0;

  constructor({ api, memory, onChange }) {
    this.#api = api;
    this.#memory = memory;
    this.#onChange = onChange;
    document.addEventListener("visibilitychange", () => this.#wake());
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.#wake());
  }

  /** Follow every accepted order that is not followed yet. */
  follow() {
    for (const record of this.#memory.orders()) {
      if (record.state === "ACCEPTED" && !this.#followed.has(record.order_id)) {
        this.#followed.set(record.order_id, { looks: 0, timer: 0, notBefore: 0, busy: false, trouble: null });
        this.#lookAfter(record.order_id, FIRST_LOOK_SECONDS);
      }
    }
  }

  /** Why the state of this order could not be read the last time, or null. */
  trouble(orderId) {
    return this.#followed.get(orderId)?.trouble ?? null;
  }

  /** Back on the page, or the network has changed: look as soon as the API allows. */
  #wake() {
    for (const [orderId, followed] of this.#followed) {
      followed.looks = 0;
      if (!followed.busy) this.#lookAfter(orderId, Math.max(followed.notBefore - performance.now(), 0) / 1000);
    }
  }

  #lookAfter(orderId, seconds) {
    const followed = this.#followed.get(orderId);
    clearTimeout(followed.timer);
    followed.timer = setTimeout(() => this.#look(orderId), seconds * 1000);
  }

  async #look(orderId) {
    if (document.hidden) return; // until #wake
    if (this.#looking >= LOOKS_AT_ONCE) {
      this.#lookAfter(orderId, 0.2);
      return;
    }
    const followed = this.#followed.get(orderId);
    followed.busy = true;
    this.#looking += 1;
    const outcome = await this.#api.status(orderId);
    this.#looking -= 1;
    followed.busy = false;
    followed.looks += 1;
    followed.notBefore = performance.now() + (outcome.retryAfter ?? 0) * 1000;

    // Read again: it may have been forgotten, or settled by another tab, in the meantime.
    const record = this.#memory.order(orderId);
    const settled = record === null || record.state !== "ACCEPTED" ? record : settle(record, outcome);
    if (settled !== record) this.#memory.keepOrder(settled);
    if (settled?.state === "ACCEPTED") {
      followed.trouble = outcome.kind === "unanswered" ? outcome.reason : null;
      this.#lookAfter(orderId, pollDelay(followed.looks, outcome.retryAfter));
    } else {
      this.#followed.delete(orderId);
    }
    if (settled !== null) this.#onChange(settled);
  }
}

/** The order as it is after this answer; the same record where the answer changes nothing. */
function settle(record, outcome) {
  if (outcome.kind === "unknown") return { ...record, state: "UNKNOWN" };
  if (outcome.kind !== "processed") return record;
  return {
    ...record,
    state: "PROCESSED",
    // From here on both times are the shop's: this machine's clock may be off.
    accepted_at: outcome.submittedAt ?? record.accepted_at,
    processed_at: outcome.processedAt ?? new Date().toISOString(),
  };
}
