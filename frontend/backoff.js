/** Delays between requests. Pure functions; all numbers are seconds. */

/** After this many failed attempts in a row, the customer decides when to retry. */
export const AUTOMATIC_ATTEMPTS = 6;

/** An order that is not processed after this time is reported as slow. */
export const SLOW_AFTER_SECONDS = 30;

const MAXIMUM_DELAY_SECONDS = 30;
const MAXIMUM_RETRY_AFTER_SECONDS = 3600;

/** Parse a Retry-After header, a number of seconds or a date; null if it is missing or invalid. */
export function readRetryAfter(header, now) {
  const text = (header ?? "").trim();
  let seconds = NaN;
  if (/^[0-9]{1,9}$/.test(text)) seconds = Number(text);
  // Date.parse alone reads "1.5" as a day in January.
  if (/^[A-Z][a-z]{2}, .* GMT$/.test(text)) seconds = Math.ceil((Date.parse(text) - now.getTime()) / 1000);
  return Number.isNaN(seconds) ? null : Math.min(Math.max(seconds, 0), MAXIMUM_RETRY_AFTER_SECONDS);
}

/** The delay after the given number of failed attempts: 1, 2, 4, … and at least Retry-After. */
export function retryDelay(attempts, retryAfter) {
  return Math.max(retryAfter ?? 0, Math.min(2 ** (attempts - 1), MAXIMUM_DELAY_SECONDS));
}

/** The delay after the given number of polls of an order; it grows slowly and is at least Retry-After. */
export function pollDelay(polls, retryAfter) {
  return Math.max(retryAfter ?? 0, Math.min(1.25 ** (polls - 1), MAXIMUM_DELAY_SECONDS));
}

/** A delay in words: "3 seconds", "2 minutes". */
export function formatDelay(seconds) {
  const [amount, unit] = seconds < 90 ? [Math.ceil(seconds), "second"] : [Math.round(seconds / 60), "minute"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}
