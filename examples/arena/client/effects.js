// What comes and goes: smoke, splashes, splinters, wakes, wrecks, numbers.

import { hull, puff } from "./art.js";

const TAU = Math.PI * 2;
const MOST = 700;

const SMOKE = "226,226,220";
const DARK = "38,36,38";
const FIRE = "255,170,60";
const FLASH = "255,238,180";
const FOAM = "236,250,250";

export class Effects {
  constructor() {
    this.low = []; // on the water, under the ships
    this.high = []; // over the ships
    this.wrecks = [];
    this.texts = [];
    this.trails = new Map();
  }

  clear() {
    this.low.length = this.high.length = this.wrecks.length = this.texts.length = 0;
    this.trails.clear();
  }

  #add(layer, p) {
    if (layer.length > MOST) layer.splice(0, 50);
    layer.push({ age: 0, vx: 0, vy: 0, drag: 1.5, grow: 0, spin: 0, ...p });
  }

  // What can happen ---------------------------------------------------------------------------

  muzzle(x, y, angle) {
    const dx = Math.cos(angle);
    const dy = Math.sin(angle);
    this.#add(this.high, { kind: "puff", colour: FLASH, core: 0.4, x: x + dx * 8, y: y + dy * 8, r: 15, grow: -40, life: 0.1, alpha: 1, glow: true });
    for (let i = 0; i < 7; i += 1) {
      const speed = 40 + Math.random() * 110;
      const a = angle + (Math.random() - 0.5) * 0.7;
      this.#add(this.high, {
        kind: "puff", colour: SMOKE, x: x + dx * 6, y: y + dy * 6, vx: Math.cos(a) * speed, vy: Math.sin(a) * speed,
        drag: 3.4, r: 5 + Math.random() * 5, grow: 14, life: 0.7 + Math.random() * 0.6, alpha: 0.42,
      });
    }
    this.#sparks(x, y, 4, angle, 0.5, 220);
  }

  splash(x, y) {
    this.#add(this.low, { kind: "ring", x, y, r: 4, grow: 42, life: 0.9, alpha: 0.7 });
    this.#add(this.low, { kind: "ring", x, y, r: 2, grow: 22, life: 0.7, alpha: 0.5 });
    this.#add(this.high, { kind: "puff", colour: FOAM, core: 0.3, x, y, r: 9, grow: 16, life: 0.32, alpha: 0.85 });
    for (let i = 0; i < 9; i += 1) {
      const a = Math.random() * TAU;
      const speed = 20 + Math.random() * 70;
      this.#add(this.high, { kind: "drop", x, y, vx: Math.cos(a) * speed, vy: Math.sin(a) * speed - 20, r: 1 + Math.random() * 1.6, life: 0.35 + Math.random() * 0.3, alpha: 0.9, drag: 3 });
    }
  }

  hit(x, y) {
    this.#add(this.high, { kind: "puff", colour: FLASH, core: 0.4, x, y, r: 20, grow: -30, life: 0.13, alpha: 1, glow: true });
    this.#add(this.high, { kind: "puff", colour: FIRE, core: 0.2, x, y, r: 13, grow: 24, life: 0.26, alpha: 0.9, glow: true });
    for (let i = 0; i < 5; i += 1) this.#smoke(x, y, DARK, 0.5, 26);
    this.#splinters(x, y, 8);
    this.#sparks(x, y, 6, 0, TAU, 170);
  }

  ground(x, y) {
    for (let i = 0; i < 7; i += 1) {
      const a = Math.random() * TAU;
      const speed = 15 + Math.random() * 60;
      this.#add(this.high, { kind: "puff", colour: i % 2 ? "214,190,136" : "120,96,60", x, y, vx: Math.cos(a) * speed, vy: Math.sin(a) * speed, drag: 4, r: 4 + Math.random() * 4, grow: 10, life: 0.5 + Math.random() * 0.3, alpha: 0.7 });
    }
  }

  sink(ship) {
    const { x, y } = ship;
    this.wrecks.push({ x, y, heading: ship.heading, slot: ship.slot, vx: ship.vx * 0.4, vy: ship.vy * 0.4, age: 0, lean: Math.random() < 0.5 ? -1 : 1 });
    this.#add(this.high, { kind: "puff", colour: FLASH, core: 0.5, x, y, r: 58, grow: -60, life: 0.22, alpha: 1, glow: true });
    for (let i = 0; i < 12; i += 1) {
      const a = Math.random() * TAU;
      const speed = 20 + Math.random() * 80;
      this.#add(this.high, { kind: "puff", colour: FIRE, core: 0.1, x: x + Math.cos(a) * 10, y: y + Math.sin(a) * 10, vx: Math.cos(a) * speed, vy: Math.sin(a) * speed, drag: 3, r: 13 + Math.random() * 11, grow: 10, life: 0.35 + Math.random() * 0.35, alpha: 0.85, glow: true });
    }
    for (let i = 0; i < 16; i += 1) this.#smoke(x + (Math.random() - 0.5) * 34, y + (Math.random() - 0.5) * 34, DARK, 0.62, 40);
    this.#splinters(x, y, 26);
    this.#sparks(x, y, 18, 0, TAU, 260);
    for (let i = 0; i < 3; i += 1) this.#add(this.low, { kind: "ring", x, y, r: 12 + i * 8, grow: 70 - i * 14, life: 1.2 + i * 0.3, alpha: 0.6 });
  }

  /** Points earned, rising from where they were earned. */
  text(x, y, text, colour, size = 15) {
    this.texts.push({ x, y, text, colour, size, age: 0 });
  }

  #smoke(x, y, colour, alpha, speed) {
    const a = Math.random() * TAU;
    const v = Math.random() * speed;
    this.#add(this.high, { kind: "puff", colour, x, y, vx: Math.cos(a) * v + 8, vy: Math.sin(a) * v - 10, drag: 1.4, r: 6 + Math.random() * 7, grow: 16, life: 0.9 + Math.random() * 0.9, alpha });
  }

  #splinters(x, y, count) {
    for (let i = 0; i < count; i += 1) {
      const a = Math.random() * TAU;
      const speed = 40 + Math.random() * 130;
      this.#add(this.high, { kind: "splinter", x, y, vx: Math.cos(a) * speed, vy: Math.sin(a) * speed, drag: 2.6, r: 2 + Math.random() * 3.4, angle: a, spin: (Math.random() - 0.5) * 16, life: 0.5 + Math.random() * 0.7, alpha: 1 });
    }
  }

  #sparks(x, y, count, angle, spread, speed) {
    for (let i = 0; i < count; i += 1) {
      const a = angle + (Math.random() - 0.5) * spread;
      const v = speed * (0.4 + Math.random() * 0.6);
      this.#add(this.high, { kind: "spark", x, y, vx: Math.cos(a) * v, vy: Math.sin(a) * v, drag: 4, r: 1.2, life: 0.16 + Math.random() * 0.22, alpha: 1 });
    }
  }

  // Ships leave traces ------------------------------------------------------------------------

  /** @param {any} ship @param {number} dt */
  trace(ship, dt) {
    const speed = Math.hypot(ship.vx, ship.vy);
    const c = Math.cos(ship.heading);
    const s = Math.sin(ship.heading);
    let trail = this.trails.get(ship.slot);
    if (!trail) this.trails.set(ship.slot, (trail = []));
    const last = trail.at(-1);
    const sx = ship.x - c * 24;
    const sy = ship.y - s * 24;
    if (last && Math.hypot(last.x - sx, last.y - sy) > 90) trail.length = 0;
    if (!last || Math.hypot(last.x - sx, last.y - sy) > 5) trail.push({ x: sx, y: sy, nx: -s, ny: c, age: 0, power: Math.min(1, speed / 150) });

    if (speed > 30 && Math.random() < dt * 26 * (speed / 160)) {
      const side = Math.random() < 0.5 ? -1 : 1;
      this.#add(this.low, {
        kind: "puff", colour: FOAM, x: ship.x + c * 22 - s * side * 6, y: ship.y + s * 22 + c * side * 6,
        vx: -s * side * 22 + ship.vx * 0.15, vy: c * side * 22 + ship.vy * 0.15, drag: 2, r: 3 + Math.random() * 2.5, grow: 7, life: 0.7, alpha: 0.5,
      });
    }
    const wounded = ship.hp / ship.hull;
    if (wounded < 0.55 && Math.random() < dt * (wounded < 0.3 ? 16 : 7)) {
      const x = ship.x + (Math.random() - 0.5) * 26 * c;
      const y = ship.y + (Math.random() - 0.5) * 26 * s;
      this.#smoke(x, y, wounded < 0.3 ? DARK : "96,92,90", 0.46, 10);
      if (wounded < 0.3) this.#add(this.high, { kind: "puff", colour: FIRE, core: 0.1, x, y, vy: -14, r: 5 + Math.random() * 4, grow: -8, life: 0.35, alpha: 0.9, glow: true });
    }
  }

  update(dt) {
    for (const layer of [this.low, this.high]) {
      let kept = 0;
      for (const p of layer) {
        p.age += dt;
        if (p.age >= p.life) continue;
        const drag = Math.exp(-p.drag * dt);
        p.vx *= drag;
        p.vy *= drag;
        p.x += p.vx * dt;
        p.y += p.vy * dt;
        p.r = Math.max(0.1, p.r + p.grow * dt);
        if (p.spin) p.angle += p.spin * dt;
        layer[kept] = p;
        kept += 1;
      }
      layer.length = kept;
    }
    for (const wreck of this.wrecks) {
      wreck.age += dt;
      wreck.x += wreck.vx * dt;
      wreck.y += wreck.vy * dt;
      wreck.heading += wreck.lean * 0.35 * dt;
      if (wreck.age < 2.2 && Math.random() < dt * 16) {
        this.#add(this.low, { kind: "ring", x: wreck.x + (Math.random() - 0.5) * 40, y: wreck.y + (Math.random() - 0.5) * 24, r: 1.5, grow: 9, life: 0.7, alpha: 0.65 });
      }
      if (wreck.age < 1.3 && Math.random() < dt * 12) this.#smoke(wreck.x, wreck.y, DARK, 0.5, 14);
    }
    this.wrecks = this.wrecks.filter((wreck) => wreck.age < 2.8);
    for (const text of this.texts) text.age += dt;
    this.texts = this.texts.filter((text) => text.age < 1.1);
    for (const trail of this.trails.values()) {
      for (const point of trail) point.age += dt;
      while (trail.length && trail[0].age > 2.1) trail.shift();
    }
  }

  // Drawing -----------------------------------------------------------------------------------

  /** @param {CanvasRenderingContext2D} c */
  drawLow(c) {
    c.lineCap = "round";
    for (const trail of this.trails.values()) this.#wake(c, trail);
    for (const p of this.low) this.#particle(c, p);
    for (const wreck of this.wrecks) {
      const down = wreck.age / 2.8;
      c.save();
      c.globalAlpha = Math.max(0, 1 - down * down) * 0.95;
      c.translate(wreck.x, wreck.y);
      c.rotate(wreck.heading);
      c.scale(1 - down * 0.3, (1 - down * 0.3) * (1 - down * 0.35));
      c.drawImage(hull(wreck.slot), -48, -48, 96, 96);
      c.globalAlpha *= 0.75 * down;
      c.fillStyle = "#0d4658";
      c.beginPath();
      c.ellipse(0, 0, 34, 15, 0, 0, TAU);
      c.fill();
      c.restore();
    }
    c.globalAlpha = 1;
  }

  #wake(c, trail) {
    const n = trail.length;
    if (n < 3) return;
    const steps = 6;
    for (let k = 0; k < steps; k += 1) {
      const from = Math.floor((k / steps) * (n - 1));
      const to = Math.floor(((k + 1) / steps) * (n - 1));
      if (to <= from) continue;
      const mid = trail[(from + to) >> 1];
      const young = Math.max(0, 1 - mid.age / 2.1);
      const alpha = young * young * mid.power;
      if (alpha < 0.02) continue;
      c.strokeStyle = `rgba(225,246,248,${(alpha * 0.5).toFixed(3)})`;
      c.lineWidth = 1 + young * 2.4;
      for (const side of [-1, 1]) {
        c.beginPath();
        for (let i = from; i <= to; i += 1) {
          const p = trail[i];
          const out = (5 + p.age * 17) * side;
          c.lineTo(p.x + p.nx * out, p.y + p.ny * out);
        }
        c.stroke();
      }
      c.strokeStyle = `rgba(190,234,238,${(alpha * 0.2).toFixed(3)})`;
      c.lineWidth = 8 + mid.age * 12;
      c.beginPath();
      for (let i = from; i <= to; i += 1) c.lineTo(trail[i].x, trail[i].y);
      c.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} c */
  drawHigh(c) {
    for (const p of this.high) this.#particle(c, p);
    c.globalAlpha = 1;
    c.textAlign = "center";
    for (const { x, y, text, colour, size, age } of this.texts) {
      c.globalAlpha = Math.min(1, (1.1 - age) * 2.4);
      c.font = `700 ${size}px Georgia, serif`;
      c.lineWidth = 3;
      c.strokeStyle = "rgba(4,20,30,.75)";
      c.strokeText(text, x, y - 26 - age * 26);
      c.fillStyle = colour;
      c.fillText(text, x, y - 26 - age * 26);
    }
    c.globalAlpha = 1;
  }

  #particle(c, p) {
    const left = 1 - p.age / p.life;
    c.globalAlpha = Math.max(0, p.alpha * (p.kind === "puff" ? left : Math.min(1, left * 1.6)));
    if (p.kind === "puff") {
      if (p.glow) c.globalCompositeOperation = "lighter";
      c.drawImage(puff(p.colour, p.core ?? 0), p.x - p.r, p.y - p.r, p.r * 2, p.r * 2);
      if (p.glow) c.globalCompositeOperation = "source-over";
    } else if (p.kind === "ring") {
      c.strokeStyle = `rgb(${FOAM})`;
      c.lineWidth = 0.6 + left * 2;
      c.beginPath();
      c.arc(p.x, p.y, p.r, 0, TAU);
      c.stroke();
    } else if (p.kind === "spark") {
      c.strokeStyle = "#ffe6a0";
      c.lineWidth = p.r;
      c.beginPath();
      c.moveTo(p.x, p.y);
      c.lineTo(p.x - p.vx * 0.04, p.y - p.vy * 0.04);
      c.stroke();
    } else if (p.kind === "drop") {
      c.fillStyle = `rgb(${FOAM})`;
      c.beginPath();
      c.arc(p.x, p.y, p.r, 0, TAU);
      c.fill();
    } else {
      c.strokeStyle = p.r > 3.6 ? "#c89a62" : "#6d4326";
      c.lineWidth = 1.6;
      c.beginPath();
      c.moveTo(p.x - Math.cos(p.angle) * p.r, p.y - Math.sin(p.angle) * p.r);
      c.lineTo(p.x + Math.cos(p.angle) * p.r, p.y + Math.sin(p.angle) * p.r);
      c.stroke();
    }
  }
}
