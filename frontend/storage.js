/**
 * Stores the orders, the pending submission and the customer id between visits. Each record is one localStorage item,
 * because tabs would overwrite each other in a shared one. Everything read is validated, and deleted if invalid.
 */

import { isOrderId, isTimestamp } from "./api.js";
import { FIELDS, isOrder } from "./rules.js";

const PREFIX = "fruit-stand:";
const ORDER = `${PREFIX}order:`;
const SUBMISSION = `${PREFIX}submission`;
const CUSTOMER = `${PREFIX}customer`;
const PROBE = "fruit-stand-probe";

/** The number of orders that are kept; orders that are not processed yet are always kept. */
export const MAXIMUM_ORDERS = 100;

const STATES = ["ACCEPTED", "PROCESSED", "UNKNOWN"];
const LATEST_TIME = Date.parse("9999-12-31T23:59:59.999Z");

/** This storefront's records. If localStorage is blocked or full, they last until the page is closed. */
export class BrowserStorage {
  /** Values that could not be written to localStorage. */
  #unsaved = new Map();
  /** Valid values by key, with the text they were parsed from. */
  #parsed = new Map();

  /** Whether records are kept after the page is closed. */
  isPersistent = true;

  constructor() {
    try {
      localStorage.setItem(PROBE, "0".repeat(1000));
      localStorage.removeItem(PROBE);
    } catch {
      this.isPersistent = false;
    }
  }

  /** All orders, newest first: { order_id, order, state, placed_at, accepted_at, processed_at }. */
  orders() {
    return this.#keys()
      .filter((key) => key.startsWith(ORDER))
      .map((key) => this.order(key.slice(ORDER.length)))
      .filter((record) => record !== null)
      .map((record) => [Date.parse(record.placed_at), record])
      .sort(([one], [other]) => other - one)
      .map(([, record]) => record);
  }

  /** The order with this id, or null. */
  order(orderId) {
    return this.#read(ORDER + orderId, (value) => isOrderRecord(value) && value.order_id === orderId);
  }

  /** A `placed_at` that sorts before all other orders, even if the clock was set back. */
  nextPlacedAt() {
    const [newest] = this.orders();
    const time = Math.max(Date.now(), newest ? Date.parse(newest.placed_at) + 1 : 0);
    return new Date(Math.min(time, LATEST_TIME)).toISOString();
  }

  saveOrder(record) {
    this.#write(ORDER + record.order_id, record);
  }

  /** Delete the oldest finished orders that exceed the maximum. */
  prune() {
    for (const record of this.orders().slice(MAXIMUM_ORDERS)) {
      if (record.state !== "ACCEPTED") this.deleteOrder(record.order_id);
    }
  }

  deleteOrder(orderId) {
    this.#remove(ORDER + orderId);
  }

  /** The pending submission: { key, order, started_at, holder: { tab, until } | null }, or null. */
  submission() {
    return this.#read(SUBMISSION, isSubmission);
  }

  saveSubmission(submission) {
    this.#write(SUBMISSION, submission);
  }

  /** Delete the pending submission if it has this key. */
  deleteSubmission(key) {
    if (this.submission()?.key === key) this.#remove(SUBMISSION);
  }

  /** The last customer id, or an empty string. */
  customerId() {
    return this.#read(CUSTOMER, FIELDS.customer_id.isValid) ?? "";
  }

  saveCustomerId(customerId) {
    this.#write(CUSTOMER, customerId);
  }

  deleteCustomerId() {
    this.#remove(CUSTOMER);
  }

  /** Whether anything about the customer is stored. */
  get isEmpty() {
    return this.#keys().length === 0;
  }

  deleteAll() {
    for (const key of this.#keys()) this.#remove(key);
  }

  /** Call `listener` after another tab has changed the records. */
  onChangeInOtherTab(listener) {
    addEventListener("storage", (event) => {
      if (event.key === null || event.key.startsWith(PREFIX)) listener();
    });
    // A page in the back/forward cache receives no storage events.
    addEventListener("pageshow", (event) => {
      if (event.persisted) listener();
    });
  }

  #keys() {
    try {
      const kept = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
      return [...new Set([...kept, ...this.#unsaved.keys()])];
    } catch {
      return [...this.#unsaved.keys()];
    }
  }

  #read(key, isValid) {
    let text = this.#unsaved.get(key) ?? null;
    try {
      text ??= localStorage.getItem(key);
      if (text === null) return null;
      const parsed = this.#parsed.get(key);
      if (parsed?.text === text) return parsed.value;
      const value = JSON.parse(text);
      if (isValid(value)) {
        this.#parsed.set(key, { text, value });
        return value;
      }
    } catch {
      // Invalid JSON is deleted below, like any invalid value.
    }
    this.#remove(key);
    return null;
  }

  #write(key, value) {
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(key, text);
      this.#unsaved.delete(key);
    } catch {
      this.isPersistent = false;
      this.#unsaved.set(key, text);
    }
  }

  #remove(key) {
    this.#unsaved.delete(key);
    this.#parsed.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      this.isPersistent = false;
    }
  }
}

function isOrderRecord(value) {
  return (
    isOrderId(value?.order_id) &&
    isOrder(value.order) &&
    STATES.includes(value.state) &&
    isTimestamp(value.placed_at) &&
    isTimestamp(value.accepted_at) &&
    (value.processed_at === null || isTimestamp(value.processed_at))
  );
}

function isSubmission(value) {
  const holder = value?.holder ?? null;
  return (
    typeof value?.key === "string" &&
    /^[0-9a-f]{32}$/.test(value.key) &&
    isOrder(value.order) &&
    isTimestamp(value.started_at) &&
    (holder === null || (/^[0-9a-f]{8}$/.test(holder.tab) && Number.isFinite(holder.until)))
  );
}
