// The pictures, drawn by code once and kept: water, islands, hulls, puffs.

import { sailOf, shade } from "./palette.js";

/** Pixels of a kept picture for one unit of the sea. */
const DETAIL = 2;

export function canvas(width, height = width) {
  const element = document.createElement("canvas");
  element.width = Math.ceil(width);
  element.height = Math.ceil(height);
  return element;
}

/** Random numbers that come out the same for the same seed. */
export function dice(seed) {
  let s = Math.imul(Math.round(seed) ^ 0x9e3779b9, 2654435761) >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const kept = new Map();
function keep(key, make) {
  let value = kept.get(key);
  if (!value) kept.set(key, (value = make()));
  return value;
}

// Water ---------------------------------------------------------------------------------------

const TILE = 512;

/** Large soft patches of lighter and darker water. */
export function swellTile() {
  return keep("swell", () => {
    const tile = canvas(TILE);
    const c = tile.getContext("2d");
    c.fillStyle = "#12566b";
    c.fillRect(0, 0, TILE, TILE);
    const random = dice(7);
    for (let i = 0; i < 46; i += 1) {
      const x = random() * TILE;
      const y = random() * TILE;
      const r = 50 + random() * 90;
      const light = random() < 0.5;
      wrapped(x, y, r, (px, py) => {
        const g = c.createRadialGradient(px, py, 0, px, py, r);
        const colour = light ? "64,160,170" : "6,44,66";
        g.addColorStop(0, `rgba(${colour},.13)`);
        g.addColorStop(1, `rgba(${colour},0)`);
        c.fillStyle = g;
        c.fillRect(px - r, py - r, 2 * r, 2 * r);
      });
    }
    return tile;
  });
}

/** Little crests of light. Two of these drift over each other. */
export function crestTile(seed) {
  return keep(`crest${seed}`, () => {
    const tile = canvas(TILE);
    const c = tile.getContext("2d");
    const random = dice(seed);
    c.lineCap = "round";
    for (let i = 0; i < 58; i += 1) {
      const x = random() * TILE;
      const y = random() * TILE;
      const w = 8 + random() * 20;
      const alpha = 0.05 + random() * 0.13;
      const bend = 2 + random() * 4;
      const double = random() < 0.35;
      wrapped(x, y, 40, (px, py) => {
        c.strokeStyle = `rgba(190,236,236,${alpha})`;
        c.lineWidth = 1.6;
        c.beginPath();
        c.moveTo(px - w, py);
        c.quadraticCurveTo(px - w / 2, py - bend, px, py);
        c.quadraticCurveTo(px + w / 2, py + bend * 0.6, px + w, py - 1);
        c.stroke();
        if (double) {
          c.strokeStyle = `rgba(3,30,44,${alpha * 1.1})`;
          c.beginPath();
          c.moveTo(px - w * 0.8, py + 4);
          c.quadraticCurveTo(px, py + 4 - bend, px + w * 0.8, py + 4);
          c.stroke();
        }
      });
    }
    return tile;
  });
}

function wrapped(x, y, r, draw) {
  for (const dx of [-TILE, 0, TILE]) {
    for (const dy of [-TILE, 0, TILE]) {
      const px = x + dx;
      const py = y + dy;
      if (px > -r && px < TILE + r && py > -r && py < TILE + r) draw(px, py);
    }
  }
}

// Puffs ---------------------------------------------------------------------------------------

/** A soft round blob, for smoke, fire, foam and cloud. */
export function puff(colour, core = 0) {
  return keep(`puff${colour}${core}`, () => {
    const size = 64;
    const image = canvas(size);
    const c = image.getContext("2d");
    const g = c.createRadialGradient(size / 2, size / 2, 0, size / 2, size / 2, size / 2);
    g.addColorStop(0, `rgba(${colour},1)`);
    g.addColorStop(Math.max(0.01, core), `rgba(${colour},.9)`);
    g.addColorStop(1, `rgba(${colour},0)`);
    c.fillStyle = g;
    c.fillRect(0, 0, size, size);
    return image;
  });
}

/** A storm cloud of many puffs. */
export function cloud(seed) {
  return keep(`cloud${seed}`, () => {
    const image = canvas(320, 320);
    const c = image.getContext("2d");
    const random = dice(seed * 31 + 5);
    for (let i = 0; i < 26; i += 1) {
      const a = random() * Math.PI * 2;
      const d = random() * 82;
      const r = 40 + random() * 46;
      c.globalAlpha = 0.16 + random() * 0.16;
      const tone = random() < 0.3 ? "92,116,132" : random() < 0.5 ? "52,72,90" : "24,38,52";
      c.drawImage(puff(tone, 0.1), 160 + Math.cos(a) * d - r, 160 + Math.sin(a) * d - r, r * 2, r * 2);
    }
    return image;
  });
}

// Islands -------------------------------------------------------------------------------------

/** A closed wavy line around (0, 0). */
function coast(random, radius, rough) {
  const waves = [2, 3, 5, 7].map((n) => ({ n, a: (random() * rough) / Math.sqrt(n), p: random() * Math.PI * 2 }));
  const points = [];
  for (let i = 0; i < 56; i += 1) {
    const angle = (i / 56) * Math.PI * 2;
    let r = 1;
    for (const { n, a, p } of waves) r += a * Math.sin(n * angle + p);
    points.push([angle, r]);
  }
  return (scale, grow = 0) => {
    const path = new Path2D();
    const at = (i) => {
      const [angle, r] = points[(i + points.length) % points.length];
      const d = radius * scale * r + grow;
      return [Math.cos(angle) * d, Math.sin(angle) * d];
    };
    for (let i = 0; i < points.length; i += 1) {
      const [x, y] = at(i);
      const [nx, ny] = at(i + 1);
      if (i === 0) path.moveTo((x + nx) / 2, (y + ny) / 2);
      else path.quadraticCurveTo(x, y, (x + nx) / 2, (y + ny) / 2);
    }
    const [x, y] = at(0);
    const [nx, ny] = at(1);
    path.quadraticCurveTo(x, y, (x + nx) / 2, (y + ny) / 2);
    path.closePath();
    return path;
  };
}

/** {image, reach, surf}: the picture, half its size in units, and the line where waves break. */
export function island(x, y, radius) {
  return keep(`island${x},${y},${radius}`, () => {
    const random = dice(x * 7 + y * 13 + radius * 3);
    const reach = radius + 90;
    const image = canvas(reach * 2 * DETAIL);
    const c = image.getContext("2d");
    c.scale(DETAIL, DETAIL);
    c.translate(reach, reach);
    const shore = coast(random, radius, 0.085);

    // Shallow water, from the deep inwards.
    for (const [grow, colour] of [[66, "rgba(52,160,166,.12)"], [50, "rgba(64,176,176,.16)"], [34, "rgba(86,196,188,.22)"], [18, "rgba(126,214,198,.3)"]]) {
      c.fillStyle = colour;
      c.fill(shore(1, grow));
    }
    c.fillStyle = "rgba(226,248,240,.5)";
    c.fill(shore(1, 5));

    // Sand, wet at the rim.
    c.save();
    c.shadowColor = "rgba(2,22,32,.45)";
    c.shadowBlur = 16;
    c.shadowOffsetX = 7;
    c.shadowOffsetY = 9;
    c.fillStyle = "#b99a63";
    c.fill(shore(1));
    c.restore();
    c.fillStyle = "#e6cf98";
    c.fill(shore(0.955));
    c.save();
    c.clip(shore(0.95));
    for (let i = 0; i < radius * 2.4; i += 1) {
      const a = random() * Math.PI * 2;
      const d = Math.sqrt(random()) * radius;
      c.fillStyle = random() < 0.5 ? "rgba(255,244,206,.5)" : "rgba(150,116,66,.3)";
      c.fillRect(Math.cos(a) * d, Math.sin(a) * d, 1.4, 1.4);
    }
    c.restore();

    // Meadow, with a bank that throws a shadow.
    const inner = coast(random, radius, 0.13);
    c.fillStyle = "rgba(112,84,44,.5)";
    c.save();
    c.translate(2.5, 3.5);
    c.fill(inner(0.74));
    c.restore();
    c.fillStyle = "#5d9a4c";
    c.fill(inner(0.73));
    c.save();
    c.clip(inner(0.73));
    for (let i = 0; i < 26; i += 1) {
      const a = random() * Math.PI * 2;
      const d = Math.sqrt(random()) * radius * 0.72;
      const r = radius * (0.08 + random() * 0.16);
      c.globalAlpha = 0.22;
      c.drawImage(puff(random() < 0.5 ? "150,196,92" : "38,92,54", 0.2), Math.cos(a) * d - r, Math.sin(a) * d - r, r * 2, r * 2);
    }
    c.globalAlpha = 1;
    c.restore();
    if (radius > 62) {
      c.fillStyle = "#4b8745";
      c.fill(inner(0.4));
      rockyHill(c, random, radius * 0.34);
    }
    const trees = Math.round(radius / 5);
    for (let i = 0; i < trees; i += 1) {
      const a = random() * Math.PI * 2;
      const d = radius * (0.36 + random() * 0.42);
      palm(c, random, Math.cos(a) * d, Math.sin(a) * d, 8 + random() * 5);
    }
    for (let i = 0; i < radius / 9; i += 1) {
      const a = random() * Math.PI * 2;
      const d = radius * (0.92 + random() * 0.16);
      rock(c, random, Math.cos(a) * d, Math.sin(a) * d, 2 + random() * 4);
    }
    if (radius > 84) tower(c, radius * 0.1, -radius * 0.12);
    return { image, reach, surf: shore(1, 7) };
  });
}

function palm(c, random, x, y, size) {
  c.save();
  c.translate(x + 3, y + 4);
  c.fillStyle = "rgba(10,36,20,.32)";
  leaves(c, random() * 6, size * 0.95);
  c.restore();
  c.save();
  c.translate(x, y);
  c.fillStyle = "#2f6d3a";
  const turn = random() * 6;
  leaves(c, turn, size);
  c.fillStyle = "#57a04e";
  leaves(c, turn + 0.35, size * 0.74);
  c.fillStyle = "#8a5f35";
  c.beginPath();
  c.arc(0, 0, 1.6, 0, 7);
  c.fill();
  c.restore();
}

function leaves(c, turn, size) {
  for (let i = 0; i < 7; i += 1) {
    const a = turn + (i / 7) * Math.PI * 2;
    const tx = Math.cos(a) * size;
    const ty = Math.sin(a) * size;
    const nx = -Math.sin(a) * size * 0.2;
    const ny = Math.cos(a) * size * 0.2;
    c.beginPath();
    c.moveTo(0, 0);
    c.quadraticCurveTo(tx * 0.5 + nx, ty * 0.5 + ny, tx, ty);
    c.quadraticCurveTo(tx * 0.5 - nx, ty * 0.5 - ny, 0, 0);
    c.fill();
  }
}

function rock(c, random, x, y, r) {
  const shape = () => {
    c.beginPath();
    for (let i = 0; i < 6; i += 1) {
      const a = (i / 6) * Math.PI * 2;
      c.lineTo(Math.cos(a) * r, Math.sin(a) * r * 0.85);
    }
    c.fill();
  };
  c.save();
  c.translate(x, y);
  c.rotate(random() * 3);
  c.fillStyle = "rgba(230,250,246,.4)";
  c.save();
  c.scale(1.45, 1.45);
  shape();
  c.restore();
  c.fillStyle = "#5b6468";
  shape();
  c.fillStyle = "#8b969a";
  c.translate(-r * 0.18, -r * 0.2);
  c.scale(0.62, 0.62);
  shape();
  c.restore();
}

function rockyHill(c, random, size) {
  for (let i = 0; i < 5; i += 1) {
    const a = (i / 5) * Math.PI * 2 + random();
    const d = size * 0.35;
    const r = size * (0.36 + random() * 0.2);
    const x = Math.cos(a) * d;
    const y = Math.sin(a) * d;
    c.fillStyle = "rgba(16,30,20,.25)";
    blob(c, x + 3, y + 4, r, random);
    c.fillStyle = "#7d8682";
    blob(c, x, y, r, random);
    c.fillStyle = "#a3aca5";
    blob(c, x - r * 0.2, y - r * 0.22, r * 0.55, random);
  }
}

function blob(c, x, y, r, random) {
  c.beginPath();
  for (let i = 0; i < 8; i += 1) {
    const a = (i / 8) * Math.PI * 2;
    const d = r * (0.86 + random() * 0.22);
    c.lineTo(x + Math.cos(a) * d, y + Math.sin(a) * d);
  }
  c.fill();
}

/** A small round fort with a flag. */
function tower(c, x, y) {
  c.save();
  c.translate(x, y);
  c.fillStyle = "rgba(8,24,20,.4)";
  c.beginPath();
  c.arc(6, 8, 19, 0, 7);
  c.fill();
  for (const [r, colour] of [[19, "#6e5c4a"], [16.5, "#b39b7a"], [12, "#8d7658"], [10.5, "#c7ae88"]]) {
    c.fillStyle = colour;
    c.beginPath();
    c.arc(0, 0, r, 0, 7);
    c.fill();
  }
  c.fillStyle = "#6e5c4a";
  for (let i = 0; i < 10; i += 1) {
    c.save();
    c.rotate((i / 10) * Math.PI * 2);
    c.fillRect(15.5, -2, 4, 4);
    c.restore();
  }
  c.strokeStyle = "#4a3a2a";
  c.lineWidth = 1.4;
  c.beginPath();
  c.moveTo(0, 0);
  c.lineTo(0, -15);
  c.stroke();
  c.fillStyle = "#d8473f";
  c.beginPath();
  c.moveTo(0, -15);
  c.lineTo(11, -11.5);
  c.lineTo(0, -8);
  c.fill();
  c.restore();
}

// Ships ---------------------------------------------------------------------------------------

function hullPath(grow = 0) {
  const path = new Path2D();
  const b = 11 + grow;
  path.moveTo(31 + grow, 0);
  path.quadraticCurveTo(22, b * 0.86, 8, b);
  path.lineTo(-16, b * 0.95);
  path.quadraticCurveTo(-27 - grow, b * 0.86, -27 - grow, 0);
  path.quadraticCurveTo(-27 - grow, -b * 0.86, -16, -b * 0.95);
  path.lineTo(8, -b);
  path.quadraticCurveTo(22, -b * 0.86, 31 + grow, 0);
  path.closePath();
  return path;
}

/** The hull of a slot, bow to the right, in a square picture of 96 units. */
export function hull(slot) {
  return keep(`hull${slot}`, () => {
    const scale = DETAIL * 1.5;
    const image = canvas(96 * scale);
    const c = image.getContext("2d");
    c.scale(scale, scale);
    c.translate(48, 48);
    const paint = sailOf(slot);

    // Bowsprit.
    c.strokeStyle = "#4a2e1b";
    c.lineWidth = 2;
    c.lineCap = "round";
    c.beginPath();
    c.moveTo(24, 0);
    c.lineTo(41, 0);
    c.stroke();

    // Side, painted band, deck.
    c.fillStyle = "#3a2415";
    c.fill(hullPath(1));
    c.fillStyle = shade(paint, -0.32);
    c.fill(hullPath(-0.4));
    c.fillStyle = "#6d4326";
    c.fill(hullPath(-1.8));
    c.save();
    c.clip(hullPath(-3));
    const planks = c.createLinearGradient(0, -10, 0, 10);
    planks.addColorStop(0, "#d0a06a");
    planks.addColorStop(0.5, "#c08c56");
    planks.addColorStop(1, "#9d6d3f");
    c.fillStyle = planks;
    c.fillRect(-40, -20, 80, 40);
    c.strokeStyle = "rgba(74,44,20,.45)";
    c.lineWidth = 0.5;
    for (let y = -10; y <= 10; y += 2.5) {
      c.beginPath();
      c.moveTo(-40, y);
      c.lineTo(40, y);
      c.stroke();
    }
    // Quarterdeck astern, forecastle ahead.
    c.fillStyle = "rgba(60,32,14,.35)";
    c.fillRect(-30, -12, 13.5, 24);
    c.fillRect(17, -12, 20, 24);
    c.fillStyle = "#5b381f";
    c.fillRect(-17.5, -12, 1.8, 24);
    c.fillRect(16.5, -12, 1.6, 24);
    // Hatch.
    c.fillStyle = "#4a2e1b";
    c.fillRect(-5, -3.4, 8, 6.8);
    c.fillStyle = "#7a5230";
    c.fillRect(-4.2, -2.6, 2.9, 5.2);
    c.fillRect(-0.6, -2.6, 2.9, 5.2);
    c.restore();

    // Wheel and guns.
    c.strokeStyle = "#3a2415";
    c.lineWidth = 1.1;
    c.beginPath();
    c.arc(-21, 0, 2.4, 0, 7);
    c.stroke();
    for (const x of [-13, 0, 12]) {
      for (const side of [-1, 1]) {
        c.fillStyle = "#20242a";
        c.fillRect(x - 1.4, side > 0 ? 6.4 : -12.6, 2.8, 6.2);
        c.fillStyle = "#4a525c";
        c.fillRect(x - 0.5, side > 0 ? 6.8 : -12.2, 1, 5.4);
      }
    }
    // Light from the upper left, on every heading: only a hint, along the middle.
    c.fillStyle = "rgba(255,240,200,.08)";
    c.fill(hullPath(-4));
    return image;
  });
}

export const SHADOW = hullPath(1.5);
export const OUTLINE = hullPath(5);

/**
 * Masts and sails, alive: `fill` from 0 (slack) to 1 (full).
 * @param {CanvasRenderingContext2D} c at the ship, bow to the right
 */
export function sails(c, slot, fill, time) {
  const colour = sailOf(slot);
  const flutter = Math.sin(time * 5 + slot * 1.7) * 0.5;
  for (const [x, half] of [[-9, 14.5], [10, 12.5]]) {
    const belly = 4.5 + fill * 8 + flutter;
    c.fillStyle = "rgba(20,14,10,.28)";
    sail(c, x - 3, half, belly * 0.9, 2);
    c.fillStyle = colour;
    sail(c, x, half, belly, 0);
    c.fillStyle = shade(colour, 0.35);
    c.beginPath();
    c.moveTo(x, -half);
    c.quadraticCurveTo(x + belly * 0.9, -half * 0.55, x + belly * 0.95, -half * 0.1);
    c.quadraticCurveTo(x + belly * 0.4, -half * 0.4, x, -half * 0.92);
    c.fill();
    c.fillStyle = shade(colour, -0.26);
    c.fillRect(x, -0.8 - half * 0.42, belly * 0.78, 1.3);
    c.fillRect(x, -0.8 + half * 0.42, belly * 0.78, 1.3);
    c.strokeStyle = "#4a2e1b";
    c.lineWidth = 1.7;
    c.lineCap = "round";
    c.beginPath();
    c.moveTo(x, -half - 1);
    c.lineTo(x, half + 1);
    c.stroke();
    c.fillStyle = "#2e1c10";
    c.beginPath();
    c.arc(x, 0, 1.9, 0, 7);
    c.fill();
  }
  // Pennant.
  const wave = Math.sin(time * 9 + slot) * 1.6;
  c.fillStyle = shade(colour, -0.12);
  c.beginPath();
  c.moveTo(-9, 0);
  c.quadraticCurveTo(-17, -2.6 + wave, -25, wave * 1.4);
  c.quadraticCurveTo(-17, 1.4 + wave, -9, 1.6);
  c.fill();
}

function sail(c, x, half, belly, y) {
  c.beginPath();
  c.moveTo(x, y - half);
  c.quadraticCurveTo(x + belly * 2, y, x, y + half);
  c.quadraticCurveTo(x + belly * 0.35, y, x, y - half);
  c.fill();
}
