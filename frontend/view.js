/** The page: the one place that touches the document. Texts from outside go in as text, never as markup. */

import { FIELDS } from "./rules.js";

const TITLE = document.title;

const part = (name) => document.querySelector(`[data-part="${name}"]`);

const banner = part("banner");
const summary = part("summary");
const summaryList = part("summary-list");
const form = part("form");
const shelf = part("shelf");
const placeButton = part("place");
const notice = part("notice");
const startOverButton = part("start-over");
const historyEmpty = part("history-empty");
const historyList = part("history-list");
const clearHistoryButton = part("clear-history");
const announcement = part("announcement");
const pick = part("pick");
const pickPicture = part("pick-picture");
const pickName = part("pick-name");
const receiptTemplate = part("receipt");

/** The shelf's radio buttons, one a product. */
const choices = Array.from(shelf.querySelectorAll("input"));
const pictureOf = (choice) => choice.parentElement.querySelector("img").src;

const { quantity, customer_id: customerId, order_date: orderDate } = form.elements;

/** English with the day before the month's name and a 24-hour clock: what nobody misreads. */
const LANGUAGE = "en-GB";
const day = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "long", timeZone: "UTC" });
const time = new Intl.DateTimeFormat(LANGUAGE, { timeStyle: "medium" });
const dayAndTime = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "medium" });

/** Say what keeps the whole shop from working. */
export function showBanner(text) {
  banner.textContent = text;
  banner.hidden = false;
}

/** Tell a screen reader what happened elsewhere on the page. */
export function announce(text) {
  announcement.textContent = text;
}

/** Call these when the reader acts: `submit`, `startOver`, `clearHistory`. */
export function listen({ submit, startOver, clearHistory }) {
  form.addEventListener("submit", () => {
    if (placeButton.ariaDisabled !== "true") submit();
  });
  startOverButton.addEventListener("click", startOver);
  clearHistoryButton.addEventListener("click", clearHistory);
}

// The form is never sent by the browser itself, whether the shop is open or not.
form.addEventListener("submit", (event) => event.preventDefault());

form.addEventListener("input", showPick);

for (const button of form.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => stepQuantity(Number(button.dataset.step)));
}

function stepQuantity(step) {
  const present = quantity.value.trim();
  const next = FIELDS.quantity.admits(present) ? Number(present) + step : 1;
  quantity.value = String(Math.min(Math.max(next, 1), 9999));
  showPick();
  announce(`Quantity ${quantity.value}`);
}

/** The order as it stands in the form; every field is a text. */
export function readForm() {
  return {
    customer_id: customerId.value.trim(),
    product_id: form.elements.product_id.value,
    quantity: quantity.value.trim(),
    order_date: orderDate.value,
  };
}

/** Put an order into the form. */
export function fillForm(order) {
  for (const choice of choices) choice.checked = choice.value === order.product_id;
  quantity.value = String(order.quantity);
  customerId.value = order.customer_id;
  orderDate.value = order.order_date;
  showPick();
}

/** Repeat on the docket what was picked from the shelf. */
function showPick() {
  const order = readForm();
  const choice = choices.find(({ checked }) => checked);
  pick.classList.toggle("docket__pick--none", !choice);
  pickPicture.hidden = !choice;
  if (choice) pickPicture.src = pictureOf(choice);
  if (!choice) pickName.textContent = "No fruit picked yet";
  else pickName.textContent = FIELDS.quantity.admits(order.quantity) ? inWords(order) : order.product_id;
}

/** Show the problems, `[{ field, detail }]` with field null for the order as a whole, and move to their summary. */
export function showProblems(problems) {
  clearProblems();
  for (const { field, detail } of problems) {
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
    summaryList.append(item);
  }
  summary.hidden = false;
  summary.focus();
  document.title = `Error: ${TITLE}`;
}

/** Take all problems off the page. */
export function clearProblems() {
  summary.hidden = true;
  summaryList.replaceChildren();
  for (const field of Object.keys(FIELDS)) markField(field, "");
  document.title = TITLE;
}

function markField(field, detail) {
  form.querySelector(`[data-error-of="${field}"]`).textContent = detail;
  const element = field === "product_id" ? shelf : inputOf(field);
  if (detail) element.setAttribute("aria-invalid", "true");
  else element.removeAttribute("aria-invalid");
}

/** The element that takes the focus for a field. */
function inputOf(field) {
  if (field !== "product_id") return form.elements[field];
  return choices.find(({ checked }) => checked) ?? choices[0];
}

/**
 * Show how far the submission is. `phase` is "editing", "sending" or "unsettled"; in the latter two the order cannot
 * be changed, in the last it can be tried again or given up.
 */
export function showPhase(phase) {
  const locked = phase !== "editing";
  // What is disabled loses the focus, and a reader without a mouse their place.
  if (locked && shelf.contains(document.activeElement)) placeButton.focus();
  shelf.disabled = locked;
  for (const button of form.querySelectorAll("[data-step]")) button.disabled = locked;
  for (const input of [quantity, customerId, orderDate]) input.readOnly = locked;
  placeButton.ariaDisabled = String(phase === "sending");
  placeButton.textContent = {
    editing: "Place order",
    sending: "Placing your order…",
    unsettled: "Try again now",
  }[phase];
  if (phase !== "unsettled" && document.activeElement === startOverButton) placeButton.focus();
  startOverButton.hidden = phase !== "unsettled";
}

/** Say something beside the button, or nothing. */
export function showNotice(text) {
  notice.textContent = text;
}

/** Orders can be placed from now on: before, a click would be lost. */
export function openShop() {
  placeButton.disabled = false;
}

/** Show the orders: `[{ record, note }]`, newest first, `note` empty where there is nothing to add. */
export function showHistory(orders) {
  const shown = new Map(Array.from(historyList.children, (item) => [item.dataset.orderId, item]));
  const items = orders.map(({ record, note }) => {
    const item = shown.get(record.order_id) ?? newReceipt(record);
    fillReceipt(item, record, note);
    return item;
  });
  for (const item of shown.values()) if (!items.includes(item)) item.remove();
  // Only what is out of place is moved: a moved element loses the focus.
  items.forEach((item, index) => {
    if (historyList.children[index] !== item) historyList.insertBefore(item, historyList.children[index] ?? null);
  });
  historyEmpty.hidden = orders.length > 0;
  clearHistoryButton.hidden = orders.every(({ record }) => record.state === "ACCEPTED");
}

/** Move from the form, if that is where the reader still is, to an order in the list. */
export function moveOnToOrder(orderId) {
  const { activeElement } = document;
  // Some browsers give a clicked button no focus: then the body has it.
  if (activeElement !== document.body && !form.contains(activeElement)) return;
  const item = Array.from(historyList.children).find((child) => child.dataset.orderId === orderId);
  const receipt = item.querySelector("article");
  receipt.focus({ preventScroll: true });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  receipt.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
}

/** Say that what is shown will be forgotten. */
export function showThatNothingIsKept() {
  historyEmpty.textContent =
    "Nothing yet. Your browser does not let this page keep anything, " +
    "so your orders will only be listed until you leave it.";
}

function newReceipt(record) {
  const item = receiptTemplate.content.cloneNode(true).firstElementChild;
  const slot = slotsOf(item);
  const { customer_id, product_id, order_date } = record.order;
  item.dataset.orderId = record.order_id;
  slot("title").id = `order-${record.order_id}`;
  item.querySelector("article").setAttribute("aria-labelledby", slot("title").id);
  slot("title").textContent = inWords(record.order);
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
export function inWords(order) {
  return `${order.quantity} × ${order.product_id}`;
}
