/**
 * What this browser remembers between visits: the orders it placed, the one submission that is not settled yet, and
 * the customer's id. Kept in localStorage, one item a record, so that two tabs never write over each other's. Whatever
 * is read back is checked like a stranger's, and dropped where it is not as it should be.
 */

import { isMoment, isOrderId } from "./api.js";
import { FIELDS, isOrder } from "./rules.js";

const PREFIX = "fruit-stand:";
const ORDER = `${PREFIX}order:`;
const SUBMISSION = `${PREFIX}submission`;
const CUSTOMER = `${PREFIX}customer`;

const MOST_ORDERS = 100;

const STATES = ["ACCEPTED", "PROCESSED", "UNKNOWN"];

/** Where localStorage is blocked or full: the same, until the page is closed. */
class PageStorage {
  #items = new Map();
  keys = () => [...this.#items.keys()];
  get = (key) => this.#items.get(key) ?? null;
  set = (key, value) => void this.#items.set(key, value);
  remove = (key) => void this.#items.delete(key);
}

/** The browser's memory of this storefront. */
export class Memory {
  #page = new PageStorage();

  /** Whether what is remembered outlives the page. */
  lasting = true;

  /**
   * The orders placed from this browser, newest first:
   * { order_id, order, state, placed_at, accepted_at, processed_at }; placed_at is by this machine's clock, the others
   * are by the shop's once the order is processed.
   */
  orders() {
    return this.#keys()
      .filter((key) => key.startsWith(ORDER))
      .map((key) => this.order(key.slice(ORDER.length)))
      .filter((record) => record !== null)
      .sort((one, other) => Date.parse(other.placed_at) - Date.parse(one.placed_at));
  }

  /** The order of this id as it is remembered, or null. */
  order(orderId) {
    return this.#read(ORDER + orderId, (value) => isOrderRecord(value) && value.order_id === orderId);
  }

  /** Remember an order as it is now; the oldest settled ones make room. */
  keepOrder(record) {
    this.#write(ORDER + record.order_id, record);
    for (const old of this.orders().slice(MOST_ORDERS)) {
      if (old.state !== "ACCEPTED") this.#remove(ORDER + old.order_id);
    }
  }

  /** Forget an order. */
  forgetOrder(orderId) {
    this.#remove(ORDER + orderId);
  }

  /** The submission that is not settled: { key, order, started_at }, or null. */
  submission() {
    return this.#read(SUBMISSION, isSubmission);
  }

  /** Remember an unsettled submission before it is sent, so that no reload can lose its key. */
  keepSubmission(submission) {
    this.#write(SUBMISSION, submission);
  }

  /** Forget the submission of this key: it is settled. Another tab's is left alone. */
  forgetSubmission(key) {
    if (this.submission()?.key === key) this.#remove(SUBMISSION);
  }

  /** The customer id that was used last, or an empty text. */
  customerId() {
    return this.#read(CUSTOMER, FIELDS.customer_id.admits) ?? "";
  }

  /** Remember the customer id for the next visit. */
  keepCustomerId(customerId) {
    this.#write(CUSTOMER, customerId);
  }

  /** Forget who ordered. */
  forgetCustomerId() {
    this.#remove(CUSTOMER);
  }

  /** Call `listener` when another tab has changed what is remembered. */
  onChangeElsewhere(listener) {
    addEventListener("storage", (event) => {
      if (event.key === null || event.key.startsWith(PREFIX)) listener();
    });
    // A page that the browser had put aside, for "back", has heard nothing meanwhile.
    addEventListener("pageshow", (event) => {
      if (event.persisted) listener();
    });
  }

  #keys() {
    try {
      const kept = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
      return [...new Set([...kept, ...this.#page.keys()])];
    } catch {
      this.lasting = false;
      return this.#page.keys();
    }
  }

  #read(key, admits) {
    let text = this.#page.get(key);
    try {
      text ??= localStorage.getItem(key);
      if (text === null) return null;
      const value = JSON.parse(text);
      if (admits(value)) return value;
    } catch {
      // Unreadable: dropped below, like anything that is not as it should be.
    }
    this.#remove(key);
    return null;
  }

  #write(key, value) {
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(key, text);
      this.#page.remove(key);
    } catch {
      this.lasting = false;
      this.#page.set(key, text);
    }
  }

  #remove(key) {
    this.#page.remove(key);
    try {
      localStorage.removeItem(key);
    } catch {
      this.lasting = false;
    }
  }
}

function isOrderRecord(value) {
  return (
    isOrderId(value?.order_id) &&
    isOrder(value.order) &&
    STATES.includes(value.state) &&
    isMoment(value.placed_at) &&
    isMoment(value.accepted_at) &&
    (value.processed_at === null || isMoment(value.processed_at))
  );
}

function isSubmission(value) {
  return (
    typeof value?.key === "string" &&
    /^[0-9a-f]{32}$/.test(value.key) &&
    isOrder(value.order) &&
    isMoment(value.started_at)
  );
}
