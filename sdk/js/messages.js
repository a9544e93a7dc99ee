import { milliseconds } from "./time.js";

/**
 * What somebody said, in a channel or to one player; the same whether it came just now or is out
 * of the history.
 * @typedef {{
 *   id: string, channel_id: string, sender_id: string, content: string, sent_at: number,
 * }} Message
 *   `sent_at` is in Unix milliseconds. Ids sort by time: the smallest one seen is the `before` of
 *   the page of history before it. `sender_id` is a player, or a name the game speaks in.
 *
 * @typedef {{id: string, channel_id: string, sent_at: number}} Receipt
 *   Of a message that is written and will not be lost.
 */

/** @param {any} raw @returns {Message} */
export function messageFrom(raw) {
  const { id, channel_id, sender_id, content } = raw;
  return { id, channel_id, sender_id, content, sent_at: milliseconds(raw.sent_at) };
}

/** @param {any} raw @returns {Receipt} */
export function receiptFrom(raw) {
  return { id: raw.id, channel_id: raw.channel_id, sent_at: milliseconds(raw.sent_at) };
}
