/** The storefront: puts the form, the submissions and the orders together. */

import { OrderApi, readApiUrl } from "./api.js";
import { Memory } from "./memory.js";
import { inWords as waitInWords, SLOW_AFTER_SECONDS } from "./pace.js";
import { FIELDS, localDate, sameOrder, violations } from "./rules.js";
import { Submissions } from "./submission.js";
import { Tracking } from "./tracking.js";
import * as view from "./view.js";

/** An answer that takes longer than this is worth a word. */
const SLOW_ANSWER_SECONDS = 4;

const REASONS = {
  offline: "You are offline.",
  unreachable: "The shop cannot be reached.",
  timeout: "The shop did not answer in time.",
  throttled: "The shop is very busy right now.",
  unavailable: "The shop cannot take orders right now.",
  failed: "Something went wrong in the shop.",
  strange: "The address in config.js does not answer as an order API would.",
};

const memory = new Memory();

/** The order API at the address that config.js names; null, and said on the page, where it does not. */
async function connect() {
  let config;
  try {
    config = (await import("./config.js")).default;
  } catch {
    view.showBanner(
      "This shop is not connected yet: config.js, which names the order API, is missing or cannot be read.",
    );
    return null;
  }
  const apiUrl = readApiUrl(config);
  if (apiUrl === null) {
    view.showBanner("This shop is not connected: config.js does not name a usable address of the order API.");
    return null;
  }
  return new OrderApi(apiUrl);
}

/** The form as a reader finds it who has been quicker than this script: what is there already stays. */
function beginOrder() {
  const begun = view.readForm();
  const empty = emptyOrder();
  view.fillForm({
    ...begun,
    customer_id: begun.customer_id || empty.customer_id,
    order_date: begun.order_date || empty.order_date,
  });
}

/** An empty form. */
function emptyOrder() {
  return { product_id: "", quantity: "1", customer_id: memory.customerId(), order_date: localDate(new Date()) };
}

/** The API's problem details as problems of the page. */
function problemsOf({ detail, errors, requestId }) {
  const problems = errors.map((error) => {
    const field = error.pointer.slice(1);
    if (!Object.hasOwn(FIELDS, field)) return { field: null, detail: `${error.pointer} ${error.detail}`.trim() };
    // The API says "must be …", which needs the field's name before it.
    return { field, detail: `${FIELDS[field].label} ${error.detail}` };
  });
  if (problems.length > 0) return problems;
  return [{ field: null, detail: requestId ? `${detail} (Reference: ${requestId})` : detail }];
}

/** What to say of a submission that is not settled. */
function noticeOf({ phase, order, reason, delay, maybePlaced }) {
  const name = `Your order for ${view.inWords(order)}`;
  const why = reason ? `${REASONS[reason]} ` : "";
  if (phase === "waiting") {
    const when = delay === null ? "as soon as you are back online" : `again in ${waitInWords(delay)}`;
    return `${why}${name} is kept and will be sent ${when}. It will not be placed twice.`;
  }
  const risk = maybePlaced ? " If you start over instead, it may have been placed already." : "";
  return `${why}${name} is not confirmed yet. Try again when you like: it will not be placed twice.${risk}`;
}

/** What to add to an order in the list. */
function noteOf(record, trouble) {
  if (record.state === "UNKNOWN") return "The shop has no order with this number.";
  if (record.state !== "ACCEPTED") return "";
  if (trouble === "offline") return "You are offline. This is how the order was last seen.";
  if (trouble) return "The shop does not say how this order is doing just now. This page keeps asking.";
  const seconds = (Date.now() - Date.parse(record.placed_at)) / 1000;
  if (seconds < SLOW_AFTER_SECONDS) return "";
  return "This takes longer than usual. Your order is accepted and will not be lost; there is nothing you need to do.";
}

/** A page left open overnight: a date that nobody chose becomes today's. */
function keepDateCurrent(submissions) {
  let today = localDate(new Date());
  document.addEventListener("visibilitychange", () => {
    const order = view.readForm();
    const wasDefault = order.order_date === today && !submissions.unsettled;
    today = localDate(new Date());
    if (wasDefault) view.fillForm({ ...order, order_date: today });
  });
}

async function open() {
  beginOrder();
  const api = await connect();
  if (api === null) {
    showHistory(null);
    return;
  }

  const tracking = new Tracking({
    api,
    memory,
    onChange(record) {
      showHistory(tracking);
      if (record.state === "PROCESSED") view.announce(`Order processed: ${view.inWords(record.order)}.`);
    },
  });

  let slowAnswer = 0;
  /** Whether the present submission was started by the reader here, whose place on the page may then be moved. */
  let placedHere = false;

  const submissions = new Submissions({
    api,
    memory,
    onChange(change) {
      clearTimeout(slowAnswer);
      if (change.phase === "sending") {
        view.showPhase("sending");
        slowAnswer = setTimeout(
          () => view.showNotice("The shop is slow to answer. Your order is on its way; no need to press again."),
          SLOW_ANSWER_SECONDS * 1000,
        );
      } else if (change.phase === "waiting" || change.phase === "stopped") {
        view.showPhase("unsettled");
        view.showNotice(noticeOf(change));
      } else if (change.phase === "refused") {
        view.showPhase("editing");
        view.showNotice("");
        view.fillForm(change.order);
        view.showProblems(problemsOf(change.outcome));
      } else if (change.phase === "accepted") {
        memory.keepCustomerId(change.record.order.customer_id);
        view.showPhase("editing");
        view.showNotice("");
        // It may have been another tab's order: what this form holds by now is then left alone.
        if (sameOrder(view.readForm(), change.record.order)) view.fillForm(emptyOrder());
        showHistory(tracking);
        view.announce(`Order accepted: ${view.inWords(change.record.order)}.`);
        if (placedHere) view.moveOnToOrder(change.record.order_id);
        placedHere = false;
        tracking.follow();
      } else {
        view.showPhase("editing");
        view.showNotice("");
      }
    },
  });

  view.listen({
    submit() {
      view.clearProblems();
      placedHere = true;
      if (submissions.unsettled) {
        submissions.retry();
        return;
      }
      const order = view.readForm();
      const problems = violations(order);
      if (problems.length > 0) view.showProblems(problems);
      else submissions.place(order);
    },
    startOver: () => submissions.abandon(),
    clearHistory() {
      for (const { order_id, state } of memory.orders()) if (state !== "ACCEPTED") memory.forgetOrder(order_id);
      memory.forgetCustomerId();
      showHistory(tracking);
      view.announce("Finished orders are cleared from this list.");
    },
  });
  memory.onChangeElsewhere(() => {
    submissions.followOtherTab();
    showHistory(tracking);
    tracking.follow();
  });

  keepDateCurrent(submissions);
  showHistory(tracking);
  tracking.follow();
  const unsettled = submissions.resume();
  if (unsettled) view.fillForm(unsettled);
  view.openShop();
}

function showHistory(tracking) {
  view.showHistory(
    memory.orders().map((record) => ({ record, note: noteOf(record, tracking?.trouble(record.order_id) ?? null) })),
  );
  if (!memory.lasting) view.showThatNothingIsKept();
}

open();
