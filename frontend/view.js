/** The only module that accesses the DOM. Untrusted text is inserted as text, never as markup. */

import { FIELDS, MAXIMUM_QUANTITY } from "./rules.js";

const TITLE = document.title;

/** The elements that have a `data-part`. */
const parts = {};
for (const element of document.querySelectorAll("[data-part]")) parts[element.dataset.part] = element;
const { banner, summary, form, shelf, notice, pick, pickPicture, pickName, historyList } = parts;
const { place: placeButton, startOver: startOverButton } = parts;

/** The radio buttons, one per product. */
const choices = Array.from(shelf.querySelectorAll("input"));
const pictureOf = (choice) => choice.parentElement.querySelector("img").src;

const { quantity, customer_id: customerId, order_date: orderDate } = form.elements;

/** Unambiguous formats: the month as a word, a 24-hour clock. */
const LANGUAGE = "en-GB";
const day = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "long", timeZone: "UTC" });
const time = new Intl.DateTimeFormat(LANGUAGE, { timeStyle: "medium" });
const dayAndTime = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "medium" });

/** Whether the style sheet was loaded. */
export const isStyled = () => getComputedStyle(document.documentElement).getPropertyValue("--ground") !== "";

/** Show why no orders can be placed, or nothing. */
export function showBanner(text) {
  parts.startMessage.hidden = true;
  setText(banner, text);
  banner.hidden = text === "";
}

/** Announce a change on the page to screen readers. */
export function announce(text) {
  parts.announcement.textContent = text;
}

/** Register the handlers of the customer's actions. */
export function listen({ submit, startOver, clear, forget }) {
  form.addEventListener("submit", () => {
    if (placeButton.ariaDisabled !== "true") submit();
  });
  startOverButton.addEventListener("click", startOver);
  parts.clear.addEventListener("click", clear);
  parts.forget.addEventListener("click", forget);
}

// The browser itself never submits the form, even before the shop is open.
form.addEventListener("submit", (event) => event.preventDefault());

form.addEventListener("input", () => {
  pressed = null;
  showPick();
});

/**
 * The first click of a double click may empty the form, or scroll another element under the pointer. The second click
 * must not act on it.
 */
const DOUBLE_CLICK_MS = 1000;
const SAME_PLACE_PX = 20;

/** Where the place button was last clicked, or null. */
let pressed = null;
/** When the page last emptied the form or scrolled. */
let changedAt = -Infinity;

for (const type of ["mousedown", "click"]) document.addEventListener(type, dropDoubleClick, { capture: true });

function dropDoubleClick(event) {
  const isSamePlace =
    pressed !== null &&
    (placeButton.contains(event.target) ||
      Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) < SAME_PLACE_PX);
  if (isSamePlace && performance.now() - changedAt < DOUBLE_CLICK_MS) {
    event.preventDefault();
    event.stopPropagation();
  } else if (event.type === "click") {
    // A click without a pointer has a count of 0.
    pressed = placeButton.contains(event.target) && event.detail > 0 ? event : null;
  }
}

for (const button of form.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => stepQuantity(Number(button.dataset.step)));
}

function stepQuantity(step) {
  const present = quantity.value.trim();
  const next = FIELDS.quantity.isValid(present) ? Number(present) + step : 1;
  quantity.value = String(Math.min(Math.max(next, 1), MAXIMUM_QUANTITY));
  showPick();
  announce(`Quantity ${quantity.value}`);
}

/** The order in the form; every field is a string. */
export function readForm() {
  return {
    customer_id: customerId.value.trim(),
    product_id: form.elements.product_id.value,
    quantity: quantity.value.trim(),
    order_date: orderDate.value,
  };
}

/** Limit the date picker to `{ min, max }`. */
export const limitDates = (range) => Object.assign(orderDate, range);

/** Put an order into the form. */
export function fillForm(order) {
  for (const choice of choices) choice.checked = choice.value === order.product_id;
  quantity.value = String(order.quantity);
  customerId.value = order.customer_id;
  orderDate.value = order.order_date;
  showPick();
}

/** Show the chosen fruit in the order. */
function showPick() {
  const order = readForm();
  const choice = choices.find(({ checked }) => checked);
  pick.classList.toggle("docket__pick--none", !choice);
  pickPicture.hidden = !choice;
  if (choice) pickPicture.src = pictureOf(choice);
  if (!choice) pickName.textContent = "No fruit picked yet";
  else pickName.textContent = FIELDS.quantity.isValid(order.quantity) ? formatOrder(order) : order.product_id;
}

/** Show errors, `[{ field, detail }]` with field null for the whole order, and move the focus to their summary. */
export function showErrors(errors) {
  clearErrors();
  changedAt = performance.now();
  for (const { field, detail } of errors) {
    const item = document.createElement("li");
    if (field === null) {
      item.textContent = detail;
    } else {
      const link = document.createElement("a");
      link.href = `#${inputOf(field).id}`;
      link.textContent = detail;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        inputOf(field).focus();
      });
      item.append(link);
      markField(field, detail);
    }
    parts.summaryList.append(item);
  }
  summary.hidden = false;
  summary.focus();
  document.title = `Error: ${TITLE}`;
}

/** Remove all errors. */
export function clearErrors() {
  summary.hidden = true;
  parts.summaryList.replaceChildren();
  for (const field of Object.keys(FIELDS)) markField(field, "");
  document.title = TITLE;
}

function markField(field, detail) {
  form.querySelector(`[data-error-of="${field}"]`).textContent = detail;
  const element = field === "product_id" ? shelf : inputOf(field);
  if (detail) element.setAttribute("aria-invalid", "true");
  else element.removeAttribute("aria-invalid");
}

/** The element to focus for a field. */
function inputOf(field) {
  if (field !== "product_id") return form.elements[field];
  return choices.find(({ checked }) => checked) ?? choices[0];
}

/**
 * Show the phase of the submission (see submission.js). This tab's pending order locks the form; every pending order can
 * be abandoned, except while this tab sends it.
 */
export function showPhase(phase) {
  const isUnconfirmed = phase === "waiting" || phase === "stopped";
  const locked = phase === "sending" || isUnconfirmed;
  const canStartOver = isUnconfirmed || phase === "elsewhere";
  // A disabled element loses the focus.
  if (locked && shelf.contains(document.activeElement)) placeButton.focus();
  shelf.disabled = locked;
  for (const button of form.querySelectorAll("[data-step]")) button.disabled = locked;
  for (const input of [quantity, customerId, orderDate]) input.readOnly = locked;
  parts.forget.disabled = phase === "sending";
  placeButton.ariaDisabled = String(phase === "sending");
  placeButton.textContent = phase === "sending" ? "Placing your order…" : isUnconfirmed ? "Try again now" : "Place order";
  if (!canStartOver && document.activeElement === startOverButton) placeButton.focus();
  startOverButton.hidden = !canStartOver;
}

/** Show a message beside the button, or nothing. */
export function showNotice(text) {
  notice.textContent = text;
}

/** Allow orders: before this, a click would be lost. */
export function openShop() {
  showBanner("");
  placeButton.disabled = false;
}

/**
 * Show orders, `[{ record, note }]` newest first; `hidden` is the number of older ones, `isEmpty` whether nothing about
 * the customer is stored.
 */
export function showHistory(orders, { hidden, isEmpty }) {
  const shown = new Map(Array.from(historyList.children, (item) => [item.dataset.orderId, item]));
  const items = orders.map(({ record, note }) => {
    const item = shown.get(record.order_id) ?? newReceipt(record);
    fillReceipt(item, record, note);
    return item;
  });
  for (const item of shown.values()) if (!items.includes(item)) item.remove();
  // Move only misplaced elements: a moved element loses the focus.
  items.forEach((item, index) => {
    if (historyList.children[index] !== item) historyList.insertBefore(item, historyList.children[index] ?? null);
  });
  parts.historyEmpty.hidden = orders.length > 0;
  parts.historyMore.hidden = hidden === 0;
  setText(parts.historyMore, `${hidden} older ${hidden === 1 ? "order is" : "orders are"} not shown.`);
  showClearAction();
  parts.forgetAction.hidden = isEmpty;
}

/** Update an order if it is in the list. */
export function updateOrder(record, note) {
  const item = itemOf(record.order_id);
  if (item) fillReceipt(item, record, note);
  showClearAction();
}

const itemOf = (orderId) => Array.from(historyList.children).find((item) => item.dataset.orderId === orderId);

function showClearAction() {
  parts.clearAction.hidden = Array.from(historyList.children).every((item) => item.dataset.state === "accepted");
}

/** Empty the form after its order was accepted, or restore its earlier content. */
export function resetForm(order) {
  fillForm(order);
  changedAt = performance.now();
}

/** Move the focus to an order in the list, if the focus is still in the form. */
export function focusOrder(orderId) {
  const { activeElement } = document;
  // Some browsers do not focus a clicked button: then the body has the focus.
  if (activeElement !== document.body && !form.contains(activeElement)) return;
  const receipt = itemOf(orderId).querySelector("article");
  receipt.focus({ preventScroll: true });
  const isMotionReduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
  receipt.scrollIntoView({ block: "nearest", behavior: isMotionReduced ? "auto" : "smooth" });
}

/** Warn that nothing is kept after the page is closed. */
export function showStorageWarning() {
  parts.storageWarning.hidden = false;
  parts.storageHint.hidden = true;
}

function newReceipt(record) {
  const item = parts.receipt.content.cloneNode(true).firstElementChild;
  const slot = slotsOf(item);
  const { customer_id, product_id, order_date } = record.order;
  item.dataset.orderId = record.order_id;
  slot("title").id = `order-${record.order_id}`;
  item.querySelector("article").setAttribute("aria-labelledby", slot("title").id);
  slot("title").textContent = formatOrder(record.order);
  slot("customer_id").textContent = customer_id;
  slot("order_date").textContent = day.format(new Date(`${order_date}T00:00:00Z`));
  slot("order_id").textContent = record.order_id;
  const choice = choices.find(({ value }) => value === product_id);
  if (choice) slot("picture").src = pictureOf(choice);
  else slot("picture").remove();
  return item;
}

function fillReceipt(item, record, note) {
  const slot = slotsOf(item);
  const processed = record.state === "PROCESSED";
  item.dataset.state = record.state.toLowerCase();
  slot("accepted").dataset.state = "done";
  fillTime(slot("accepted-time"), record.accepted_at);
  slot("processed").dataset.state = { ACCEPTED: "now", PROCESSED: "done", UNKNOWN: "lost" }[record.state];
  const names = { ACCEPTED: "Being processed", PROCESSED: "Processed", UNKNOWN: "Not found" };
  setText(slot("processed-name"), names[record.state]);
  if (processed) fillTime(slot("processed-time"), record.processed_at);
  setText(slot("note"), note);
  slot("note").hidden = note === "";
}

const slotsOf = (item) => (name) => item.querySelector(`[data-slot="${name}"]`);

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function fillTime(place, moment) {
  const element = place.firstElementChild ?? place.appendChild(document.createElement("time"));
  const date = new Date(moment);
  const isToday = date.toDateString() === new Date().toDateString();
  element.dateTime = moment;
  setText(element, (isToday ? time : dayAndTime).format(date));
}

/** An order in words: "2 × Banana". */
export function formatOrder(order) {
  return `${order.quantity} × ${order.product_id}`;
}
