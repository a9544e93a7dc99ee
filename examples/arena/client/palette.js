// Colours. A ship's slot (1 to 10) is its colour everywhere: sails, chart, standings.

export const SAILS = [
  "#cfd8dc", // 0: nobody
  "#e5484d", "#f2b134", "#4f8ff0", "#8fce4a", "#b06be0",
  "#f47f3f", "#37c8c3", "#f07fb4", "#f3ead6", "#55606e",
];

export const sailOf = (slot) => SAILS[slot] ?? SAILS[0];

/** `#rrggbb` lighter (amount > 0) or darker (< 0), amount from -1 to 1. */
export function shade(hex, amount) {
  const n = Number.parseInt(hex.slice(1), 16);
  const towards = amount > 0 ? 255 : 0;
  const mix = (c) => Math.round(c + (towards - c) * Math.abs(amount));
  return `rgb(${mix(n >> 16)},${mix((n >> 8) & 255)},${mix(n & 255)})`;
}
