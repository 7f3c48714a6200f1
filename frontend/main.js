/** Connects the form, the submissions and the list of orders. */

import { OrderApi, readApiUrl } from "./api.js";
import { retryDelay, formatDelay, SLOW_AFTER_SECONDS } from "./backoff.js";
import { dateRange, FIELDS, formErrors, localDate, sameOrder } from "./rules.js";
import { BrowserStorage, MAXIMUM_ORDERS } from "./storage.js";
import { Submissions } from "./submission.js";
import { Tracking } from "./tracking.js";
import * as view from "./view.js";

/** After this time, a notice reports that the shop is slow. */
const SLOW_RESPONSE_SECONDS = 4;

const REASONS = {
  offline: "You are offline.",
  unreachable: "The shop cannot be reached.",
  timeout: "The shop did not respond in time.",
  throttled: "The shop is very busy right now.",
  unavailable: "The shop cannot take orders right now.",
  failed: "Something went wrong in the shop.",
  unexpected_response: "The shop sent an unexpected response.",
};

const storage = new BrowserStorage();

const today = () => localDate(new Date());

const emptyOrder = () => ({
  product_id: "",
  quantity: "1",
  customer_id: storage.customerId(),
  order_date: today(),
});

/** Load config.js, and retry until it is there. */
async function loadConfig() {
  for (let attempts = 1; ; attempts += 1) {
    try {
      // Browsers remember that a module failed; a new query makes them fetch it again.
      return (await import(attempts === 1 ? "./config.js" : `./config.js?attempt=${attempts}`)).default;
    } catch {
      view.showBanner("The shop cannot be reached. This page keeps trying; you can also reload it.");
      await new Promise((resolve) => {
        setTimeout(resolve, retryDelay(attempts, null) * 1000);
        addEventListener("online", resolve, { once: true });
      });
    }
  }
}

/** Complete the form, and keep what the customer entered before this script ran. */
function prepareForm() {
  const entered = view.readForm();
  const empty = emptyOrder();
  view.limitDates(dateRange(today()));
  view.fillForm({
    ...entered,
    customer_id: entered.customer_id || empty.customer_id,
    order_date: entered.order_date || empty.order_date,
  });
}

/** The API's problem details as errors of the page. */
function errorsOf({ detail, errors, requestId }) {
  const shown = errors.map((error) => {
    const field = error.pointer.slice(1);
    if (!Object.hasOwn(FIELDS, field)) return { field: null, detail: `${error.pointer} ${error.detail}`.trim() };
    // The API's text continues the field's name: "must be …".
    return { field, detail: `${FIELDS[field].label} ${error.detail}` };
  });
  if (shown.length > 0) return shown;
  return [{ field: null, detail: requestId ? `${detail} (Reference: ${requestId})` : detail }];
}

/** The notice for the phase of the submission, or nothing. */
function noticeOf({ phase, order, reason, delay, maybePlaced }) {
  if (phase === "accepted" || phase === "rejected" || phase === "idle") return "";
  const name = view.formatOrder(order);
  if (phase === "withdrawn") {
    const placed = maybePlaced ? " It may have been placed." : "";
    return `You finished your order for ${name} in another tab, or started over there.${placed}`;
  }
  const risk = " If you start over, this order may already have been placed.";
  if (phase === "elsewhere") {
    return `Another tab is sending your order for ${name}. You can place the next order when that is done.${risk}`;
  }
  const why = reason ? `${REASONS[reason]} ` : "";
  const once = storage.isPersistent
    ? "It will not be placed twice."
    : "Keep this page open: otherwise it may be lost or placed twice.";
  if (phase === "waiting") {
    const kept = storage.isPersistent ? "is kept and " : "";
    const when = delay === null ? "as soon as you are back online" : `again in ${formatDelay(delay)}`;
    return `${why}Your order for ${name} ${kept}will be sent ${when}. ${once}`;
  }
  return `${why}Your order for ${name} is not confirmed yet. Try again when you like. ${once}${maybePlaced ? risk : ""}`;
}

/** The note on an order in the list, or nothing. */
function noteOf(record, failure) {
  if (record.state === "UNKNOWN") return "The shop has no order with this number.";
  if (record.state !== "ACCEPTED") return "";
  if (failure === "offline") return "You are offline. This is the last known state.";
  if (failure) return "The state of this order cannot be read right now. This page keeps checking.";
  const seconds = (Date.now() - Date.parse(record.accepted_at)) / 1000;
  if (seconds < SLOW_AFTER_SECONDS) return "";
  return "This takes longer than usual. Your order is accepted and will not be lost; you do not need to do anything.";
}

function showHistory(tracking) {
  const orders = storage.orders();
  const shown = orders.slice(0, MAXIMUM_ORDERS);
  view.showHistory(
    shown.map((record) => ({ record, note: noteOf(record, tracking?.failure(record.order_id) ?? null) })),
    { hidden: orders.length - shown.length, isEmpty: storage.isEmpty },
  );
  if (!storage.isPersistent) view.showStorageWarning();
}

/** Replace yesterday's default date on a page that was left open overnight. */
function keepDateCurrent(submissions) {
  let last = today();
  document.addEventListener("visibilitychange", () => {
    const order = view.readForm();
    const isDefault = order.order_date === last && !submissions.isPending;
    last = today();
    view.limitDates(dateRange(last));
    if (isDefault) view.fillForm({ ...order, order_date: last });
  });
}

async function open() {
  prepareForm();
  storage.prune();
  showHistory(null);
  const apiUrl = readApiUrl(await loadConfig());
  if (apiUrl === null) {
    view.showBanner("The shop is closed because of a configuration error. Please come back later.");
    return;
  }
  const api = new OrderApi(apiUrl);
  const tracking = new Tracking({
    api,
    storage,
    onChange(record) {
      view.updateOrder(record, noteOf(record, tracking.failure(record.order_id)));
      if (record.state === "PROCESSED") view.announce(`Order processed: ${view.formatOrder(record.order)}.`);
    },
  });

  let slowResponse = 0;
  /** Whether the customer started the submission here, so that the focus may move to the order. */
  let isPlacedHere = false;
  /** The form's content before it showed an order of another tab or visit, or null. */
  let draft = null;

  /** Show this tab's pending order in the form, or the earlier content again. */
  function showOrder({ phase, order }) {
    const present = view.readForm();
    if (phase === "sending" || phase === "waiting" || phase === "stopped") {
      if (sameOrder(present, order)) return;
      if (!sameOrder(present, emptyOrder())) draft ??= present;
      view.fillForm(order);
    } else if (phase === "accepted") {
      view.resetForm(draft ?? emptyOrder());
      draft = null;
    } else if (draft !== null && phase !== "rejected") {
      view.fillForm(draft);
      draft = null;
    }
  }

  const submissions = new Submissions({
    api,
    storage,
    onChange(change) {
      clearTimeout(slowResponse);
      showOrder(change);
      view.showPhase(change.phase);
      // While sending, the last notice stays.
      if (change.phase !== "sending") view.showNotice(noticeOf(change));
      if (!storage.isPersistent) view.showStorageWarning();
      if (change.phase === "sending") {
        slowResponse = setTimeout(
          () => view.showNotice("The shop is responding slowly. Your order is being sent; do not press again."),
          SLOW_RESPONSE_SECONDS * 1000,
        );
      } else if (change.phase === "accepted") {
        const { record } = change;
        showHistory(tracking);
        view.announce(`Order accepted: ${view.formatOrder(record.order)}.`);
        if (isPlacedHere) view.focusOrder(record.order_id);
        isPlacedHere = false;
        tracking.follow();
      } else if (change.phase === "rejected") {
        view.showErrors(errorsOf(change.outcome));
      }
    },
  });

  view.listen({
    submit() {
      view.clearErrors();
      isPlacedHere = true;
      if (submissions.isPending) {
        submissions.retry();
        return;
      }
      const order = view.readForm();
      const errors = formErrors(order, today());
      if (errors.length > 0) view.showErrors(errors);
      else submissions.place(order);
    },
    startOver: () => submissions.abandon(),
    clear() {
      for (const { order_id, state } of storage.orders()) if (state !== "ACCEPTED") storage.deleteOrder(order_id);
      storage.deleteCustomerId();
      showHistory(tracking);
      view.announce("Finished orders are cleared from this list.");
    },
    forget() {
      submissions.abandon();
      storage.deleteAll();
      draft = null;
      view.fillForm(emptyOrder());
      view.clearErrors();
      showHistory(tracking);
      view.announce("Your orders and your customer ID are removed from this device.");
    },
  });
  storage.onChangeInOtherTab(() => {
    submissions.follow();
    showHistory(tracking);
    tracking.follow();
  });

  keepDateCurrent(submissions);
  tracking.follow();
  submissions.resume();
  view.openShop();
}

// Without its style sheet the page does not start, and the message to reload stays.
if (view.isStyled()) open();
