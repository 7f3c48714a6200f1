/**
 * What an order may hold. `lambda/orders/order.schema.json` is the statement of it; the page can be served without
 * that file, so it says the same here, and a test holds the two together. Pure: no page, no clock, no network.
 */

const CUSTOMER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const PRODUCT_ID = /^[A-Za-z0-9._-](?:[A-Za-z0-9._ -]{0,126}[A-Za-z0-9._-])?$/;
const QUANTITY = /^[1-9][0-9]{0,3}$/;
const ORDER_DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;

/** Whether `text`, YYYY-MM-DD, is a day of the Gregorian calendar from year 1 on. */
function isCalendarDate(text) {
  const [, year, month, day] = (ORDER_DATE.exec(text) ?? []).map(Number);
  if (!year) return false;
  const date = new Date(0);
  // Date.UTC would take the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  // A day or month that there is not has carried over into another month.
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1;
}

const isText = (value) => typeof value === "string";

/** Each field of an order, in the order of the page: how it is called, what it admits, and how to put it right. */
export const FIELDS = {
  product_id: {
    label: "Fruit",
    missing: "Choose one of the fruits",
    wrong: "Fruit must be one of those shown",
    admits: (value) => isText(value) && PRODUCT_ID.test(value),
  },
  quantity: {
    label: "Quantity",
    missing: "Enter how many you would like",
    wrong: "Quantity must be a whole number from 1 to 9999, such as 2",
    admits: (value) =>
      isText(value) ? QUANTITY.test(value) : Number.isInteger(value) && value >= 1 && value <= 9999,
  },
  customer_id: {
    label: "Customer ID",
    missing: "Enter your customer ID",
    wrong:
      "Customer ID must be 1 to 64 letters A-Z or a-z, digits, dots, underscores or hyphens, " +
      "beginning with a letter or digit",
    admits: (value) => isText(value) && CUSTOMER_ID.test(value),
  },
  order_date: {
    label: "Order date",
    missing: "Enter the date of the order",
    wrong: "Order date must be a real date, such as 2025-04-25",
    admits: (value) => isText(value) && isCalendarDate(value),
  },
};

/** The rules that `order` breaks: one `{ field, detail }` a field, in the page's order; empty if it may be sent. */
export function violations(order) {
  return Object.entries(FIELDS)
    .filter(([field, rule]) => !rule.admits(order[field]))
    .map(([field, rule]) => ({ field, detail: order[field] === "" ? rule.missing : rule.wrong }));
}

/** Whether `value` is an order: these four fields, each as it should be, and no other. */
export function isOrder(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length === Object.keys(FIELDS).length &&
    Object.keys(FIELDS).every((field) => Object.hasOwn(value, field)) &&
    violations(value).length === 0
  );
}

/** Whether two orders ask for the same. */
export function sameOrder(one, other) {
  return Object.keys(FIELDS).every((field) => String(one[field]) === String(other[field]));
}

/** The calendar date at `moment` where the reader is, YYYY-MM-DD. */
export function localDate(moment) {
  const part = (number, digits) => String(number).padStart(digits, "0");
  return `${part(moment.getFullYear(), 4)}-${part(moment.getMonth() + 1, 2)}-${part(moment.getDate(), 2)}`;
}
