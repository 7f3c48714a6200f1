/**
 * The rules of an order, as in `lambda/orders/order.schema.json`, which is not served with the page; a test compares
 * the two. Pure functions.
 */

const CUSTOMER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const PRODUCT_ID = /^[A-Za-z0-9._-](?:[A-Za-z0-9._ -]{0,126}[A-Za-z0-9._-])?$/;
const QUANTITY = /^[1-9][0-9]*$/;
const ORDER_DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;

export const MAXIMUM_QUANTITY = 9999;

/** Whether `text` is a calendar date, YYYY-MM-DD, from year 1 on. */
function isCalendarDate(text) {
  const [, year, month, day] = (ORDER_DATE.exec(text) ?? []).map(Number);
  if (!year) return false;
  const date = new Date(0);
  // Date.UTC reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  // An invalid day or month overflows into another month.
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1;
}

const isString = (value) => typeof value === "string";

/** The fields of an order in the page's order: label, error messages, and whether a value is valid. */
export const FIELDS = {
  product_id: {
    label: "Fruit",
    missing: "Choose one of the fruits",
    invalid: "Fruit must be one of those shown",
    isValid: (value) => isString(value) && PRODUCT_ID.test(value),
  },
  quantity: {
    label: "Quantity",
    missing: "Enter how many you would like",
    invalid: `Quantity must be a whole number from 1 to ${MAXIMUM_QUANTITY}, such as 2`,
    isValid: (value) =>
      (isString(value) ? QUANTITY.test(value) : Number.isInteger(value)) && value >= 1 && value <= MAXIMUM_QUANTITY,
  },
  customer_id: {
    label: "Customer ID",
    missing: "Enter your customer ID",
    invalid:
      "Customer ID must be 1 to 64 letters A-Z or a-z, digits, dots, underscores or hyphens, " +
      "beginning with a letter or digit",
    isValid: (value) => isString(value) && CUSTOMER_ID.test(value),
  },
  order_date: {
    label: "Order date",
    missing: "Enter the date of the order",
    invalid: "Order date must be a real date, such as 2025-04-25",
    isValid: (value) => isString(value) && isCalendarDate(value),
  },
};

/** The errors of an order: one `{ field, detail }` per invalid field, in the page's order. */
export function violations(order) {
  return Object.entries(FIELDS)
    .filter(([field, rule]) => !rule.isValid(order[field]))
    .map(([field, rule]) => ({ field, detail: order[field] === "" ? rule.missing : rule.invalid }));
}

/** The dates that the form accepts on a day; the API accepts any. */
export function dateRange(today) {
  return { min: "2000-01-01", max: `${Number(today.slice(0, 4)) + 1}-12-31` };
}

/** The errors of an order in the form: violations, and a date that is probably a typing error. */
export function formErrors(order, today) {
  const errors = violations(order);
  const { min, max } = dateRange(today);
  const { order_date: date } = order;
  if (FIELDS.order_date.isValid(date) && (date < min || date > max)) {
    errors.push({ field: "order_date", detail: `Order date must be from ${min} to ${max}` });
  }
  return errors;
}

/** Whether `value` is an order: exactly these four fields, each valid. */
export function isOrder(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length === Object.keys(FIELDS).length &&
    Object.keys(FIELDS).every((field) => Object.hasOwn(value, field)) &&
    violations(value).length === 0
  );
}

/** Whether two orders are equal. */
export function sameOrder(one, other) {
  return Object.keys(FIELDS).every((field) => String(one[field]) === String(other[field]));
}

/** The customer's calendar date at `date`, YYYY-MM-DD. */
export function localDate(date) {
  const part = (number, digits) => String(number).padStart(digits, "0");
  return `${part(date.getFullYear(), 4)}-${part(date.getMonth() + 1, 2)}-${part(date.getDate(), 2)}`;
}
