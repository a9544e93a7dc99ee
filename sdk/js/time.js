/**
 * A time in Unix milliseconds: the server writes times as such in its pushes, and as ISO 8601 in
 * its REST answers.
 * @param {number | string} time
 */
export function milliseconds(time) {
  return typeof time === "number" ? time : Date.parse(time);
}
