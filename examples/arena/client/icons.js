// Pictures for boons and modifiers, 48 by 48, drawn with the current colour.

const PATHS = {
  swift_keel: "M6 33h30l6-9H10zM20 23V7l14 14M40 36c-4 3-8 3-12 0-4 3-8 3-12 0-4 3-7 3-10 1M3 14h9M1 20h7",
  oak_hull: "M24 5l16 6v12c0 10-7 16-16 20C15 39 8 33 8 23V11zM8 18h32M9 27h30M18 8v31M31 8v29",
  drilled_crew: "M24 6a18 18 0 1 1-17 12M7 6v12h12M24 14v11l8 5",
  heavy_shot: "M21 45a15 15 0 1 1 0-30 15 15 0 0 1 0 30zM32 19l5-5M37 14c1-6 5-7 8-5M41 3l1 3M34 6l3 2M14 26c1-3 4-5 7-5",
  carpenter: "M7 41l20-20M10 44l20-20M24 14l6-6 5 2 7 7 2 6-5 5-4-4-3 1-7-7 1-3z",
  long_nines: "M4 30h31l9-3v-7l-9-3H4c-2 4-2 9 0 13zM12 37a5 5 0 1 0 .1 0zM27 37a5 5 0 1 0 .1 0zM36 9h8M40 5l4 4-4 4",
  broad_rudder: "M24 24m-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0M24 4v12M24 32v12M4 24h12M32 24h12M10 10l8 8M30 30l8 8M38 10l-8 8M18 30l-8 8",
  double_damage: "M15 33a9 9 0 1 1 .1 0zM33 33a9 9 0 1 1 .1 0zM24 5v6M13 8l2 5M35 8l-2 5M8 41h32",
  tight_quarters: "M24 4a20 20 0 1 0 .1 0M24 16a8 8 0 1 0 .1 0M24 4v8M24 36v8M4 24h8M36 24h8M20 9l4 4 4-4M20 39l4-4 4 4",
  fog_bank: "M6 18c4-8 14-9 18-3 7-4 15 0 14 7M3 26h30M38 26h7M8 33h34M4 40h20M30 40h12",
  swift_winds: "M4 18h25c8 0 9-11 2-11-4 0-6 3-5 6M4 26h35c8 0 8 11 1 11-4 0-5-3-4-5M4 34h20c6 0 6 9 0 9-3 0-4-2-4-4",
  long_guns: "M5 36L38 14M8 41L42 19M38 14l4 5M5 36l3 5M31 5h12v12M43 5L33 15",
  glass_hulls: "M8 24h32l-6 13H14zM24 24V6l12 14M24 6v18M17 24l4 6-3 3 3 4M31 24l-3 5 3 3-2 5",
  powder_frenzy: "M12 20h24v18c0 3-24 3-24 0zM12 20c0-3 24-3 24 0s-24 3-24 0M12 27c6 3 18 3 24 0M12 33c6 3 18 3 24 0M24 17c0-6 6-6 6-11M33 3l1 3M27 3l2 2M35 9l-3-1",
};

/** @param {string} id */
export function icon(id) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 48 48");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[id] ?? "M24 4l6 14h14l-11 9 4 15-13-9-13 9 4-15L4 18h14z");
  svg.append(path);
  return svg;
}
