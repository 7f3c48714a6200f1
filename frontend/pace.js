/** How long to wait before asking again. Pure: the moment is handed in, all numbers are seconds. */

/** After this many tries in a row the page stops trying by itself and leaves it to the reader. */
export const AUTOMATIC_TRIES = 6;

/** An order that is not processed after this time is called slow. */
export const SLOW_AFTER_SECONDS = 30;

const LONGEST_RETRY_SECONDS = 30;
const LONGEST_POLL_SECONDS = 30;

/** No wish of a server is taken for longer than this. */
const LONGEST_WISH_SECONDS = 3600;

/** What a Retry-After header asks for: a number of seconds or a date; null where there is none to be understood. */
export function readRetryAfter(header, now) {
  const text = (header ?? "").trim();
  let seconds = NaN;
  if (/^[0-9]{1,9}$/.test(text)) seconds = Number(text);
  // Date.parse alone would take "1.5" for a day in January.
  if (/^[A-Z][a-z]{2}, .* GMT$/.test(text)) seconds = Math.ceil((Date.parse(text) - now.getTime()) / 1000);
  return Number.isNaN(seconds) ? null : Math.min(Math.max(seconds, 0), LONGEST_WISH_SECONDS);
}

/** The wait after the `tries`-th failed try to submit: 1, 2, 4, … but never less than the server asked for. */
export function retryDelay(tries, retryAfter) {
  return Math.max(retryAfter ?? 0, Math.min(2 ** (tries - 1), LONGEST_RETRY_SECONDS));
}

/** The wait after the `polls`-th look at an order: it grows slowly, and is never less than the server asked for. */
export function pollDelay(polls, retryAfter) {
  return Math.max(retryAfter ?? 0, Math.min(1.25 ** (polls - 1), LONGEST_POLL_SECONDS));
}

/** A wait in words: "3 seconds", "2 minutes". */
export function inWords(seconds) {
  const [amount, unit] = seconds < 90 ? [Math.ceil(seconds), "second"] : [Math.round(seconds / 60), "minute"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}
