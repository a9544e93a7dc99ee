// Draws a frame of the world: water, land, ships, shots, weather. Knows nothing of the network.

import { cloud, crestTile, hull, island, OUTLINE, puff, sails, SHADOW, swellTile } from "./art.js";
import { Effects } from "./effects.js";
import { sailOf } from "./palette.js";
import { muzzles } from "./sailing.js";

const TAU = Math.PI * 2;

export class Scene {
  /** @param {HTMLCanvasElement} element */
  constructor(element) {
    this.element = element;
    this.c = element.getContext("2d", { alpha: false });
    this.effects = new Effects();
    this.camera = { x: 0, y: 0, zoom: 1, ready: false };
    this.shake = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.swell = this.c.createPattern(swellTile(), "repeat");
    this.crests = [this.c.createPattern(crestTile(3), "repeat"), this.c.createPattern(crestTile(11), "repeat")];
    this.sounds = null;
    /** From 1 downwards: fewer pixels and clouds where drawing takes too long. */
    this.quality = 1;
    this.slow = 0;
    this.resize();
    addEventListener("resize", () => this.resize());
  }

  resize() {
    this.ratio = Math.min(devicePixelRatio || 1, 1.75) * this.quality;
    this.width = innerWidth;
    this.height = innerHeight;
    this.element.width = Math.round(this.width * this.ratio);
    this.element.height = Math.round(this.height * this.ratio);
  }

  /** How many pixels a unit is, so that every window shows about as much sea. */
  get fit() {
    return Math.max(0.45, Math.sqrt((this.width * this.height) / (1120 * 650)));
  }

  /** Watches the time frames take, and draws less rather than less often. */
  pace(dt) {
    if (dt <= 0 || dt > 0.2) return; // another window was in front
    this.slow = Math.max(0, this.slow + (dt > 1 / 38 ? dt : -2 * dt));
    if (this.slow > 1.5 && this.quality > 0.7) {
      this.slow = 0;
      this.quality -= 0.15;
      this.resize();
    }
  }

  toSea(x, y) {
    const { camera } = this;
    return { x: camera.x + (x - this.width / 2) / camera.zoom, y: camera.y + (y - this.height / 2) / camera.zoom };
  }

  cut() {
    this.camera.ready = false;
    this.effects.clear();
  }

  /**
   * @param {any} frame from World.sample or Demo.sample
   * @param {{pointer?: {x: number, y: number}, aim?: number, aiming?: boolean}} hand
   */
  draw(frame, hand = {}) {
    const { c, effects } = this;
    const time = frame.now / 1000;
    this.pace(frame.dt);
    this.happen(frame);
    this.follow(frame, hand.pointer);
    for (const ship of frame.ships) if (ship.hp > 0) effects.trace(ship, frame.dt);
    effects.update(frame.dt);

    const { camera } = this;
    this.shake *= Math.exp(-frame.dt * 6);
    const shake = this.calm ? 0 : this.shake;
    const ox = Math.sin(time * 61) * shake;
    const oy = Math.cos(time * 53) * shake;
    const scale = camera.zoom * this.ratio;
    const tx = this.element.width / 2 - camera.x * scale + ox * this.ratio;
    const ty = this.element.height / 2 - camera.y * scale + oy * this.ratio;
    c.setTransform(scale, 0, 0, scale, tx, ty);
    const half = { x: this.width / camera.zoom / 2 + 40, y: this.height / camera.zoom / 2 + 40 };
    const view = { left: camera.x - half.x, right: camera.x + half.x, top: camera.y - half.y, bottom: camera.y + half.y };
    const visible = (x, y, r) => x + r > view.left && x - r < view.right && y + r > view.top && y - r < view.bottom;

    this.water(view, time);
    for (const [x, y, r] of frame.islands) if (visible(x, y, r + 90)) this.land(x, y, r, time);
    effects.drawLow(c);
    if (frame.me && hand.aiming && frame.me.hp > 0) this.aimLines(frame, hand.aim);
    const seen = (ship) => !frame.fog || !frame.me || ship.me || Math.hypot(ship.x - frame.me.x, ship.y - frame.me.y) < frame.fog * 1.02;
    const ships = frame.ships.filter((ship) => ship.hp > 0 && visible(ship.x, ship.y, 60) && seen(ship));
    for (const ship of ships) this.shadow(ship);
    for (const ship of ships) this.ship(ship, time);
    for (const ball of frame.balls) if (visible(ball.x, ball.y, 20)) this.ball(ball);
    effects.drawHigh(c);
    this.storm(frame.sea, view, time, visible);
    if (frame.fog && frame.me) this.fog(frame, view, time);
    for (const ship of ships) if (!ship.quiet) this.label(ship, frame.leader);
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (frame.me && frame.phase === "playing") this.beyond(frame, seen);
    if (hand.aiming && hand.pointer && frame.me?.hp > 0) this.crosshair(hand.pointer, frame.me);
  }

  /** Starts what the frame says has happened. */
  happen(frame) {
    const { effects } = this;
    const bySlot = (slot) => frame.ships.find((ship) => ship.slot === slot);
    const loud = (x, y) => {
      const ear = frame.me ?? this.camera;
      return Math.max(0, 1 - Math.hypot(x - ear.x, y - ear.y) / 900);
    };
    for (const event of frame.events) {
      if (event.kind === "volley") {
        for (const [x, y] of event.from) effects.muzzle(x, y, event.aim);
        if (event.quiet) continue;
        this.shake = Math.max(this.shake, 2.5 + event.from.length);
        this.sounds?.cannon(1, event.from.length);
      } else if (event.kind === "shot") {
        const [, slot, x, y, vx, vy] = event.ball;
        const ship = bySlot(slot);
        if (!ship) continue;
        // Back along its way to the ship that fired it.
        const speed = Math.hypot(vx, vy) || 1;
        const back = Math.max(0, (x - ship.x) * (vx / speed) + (y - ship.y) * (vy / speed) - 12);
        effects.muzzle(x - (vx / speed) * back, y - (vy / speed) * back, Math.atan2(vy, vx));
        this.sounds?.cannon(loud(ship.x, ship.y) * 0.7, 1);
      } else if (event.kind === "splash") {
        effects.splash(event.x, event.y);
        this.sounds?.splash(loud(event.x, event.y));
      } else if (event.kind === "ground") {
        effects.ground(event.x, event.y);
        this.sounds?.thud(loud(event.x, event.y));
      } else if (event.kind === "hit") {
        let { x, y } = event;
        const me = frame.me;
        if (me && event.ship === me.slot) {
          // The own ship is drawn ahead of the others: move the blow along with it.
          const then = event.snap.ships.get(me.id);
          if (then) {
            x += me.x - then.x;
            y += me.y - then.y;
          }
          this.shake = Math.max(this.shake, 7);
          this.onHurt?.();
        } else if (me && event.by === me.slot) {
          effects.text(x, y, "+10", "#ffd978");
          this.sounds?.tick();
        }
        effects.hit(x, y);
        this.sounds?.hit(loud(x, y));
      } else if (event.kind === "sunk") {
        const ship = bySlot(event.ship);
        const mine = frame.me && event.ship === frame.me.slot;
        effects.sink({ x: event.x, y: event.y, slot: event.ship, heading: ship?.heading ?? 0, vx: ship?.vx ?? 0, vy: ship?.vy ?? 0 });
        if (frame.me && event.by === frame.me.slot) effects.text(event.x, event.y - 10, "SUNK +50", "#ffb347", 20);
        this.shake = Math.max(this.shake, mine ? 16 : 10 * loud(event.x, event.y));
        this.sounds?.sink(loud(event.x, event.y));
      }
    }
  }

  follow(frame, pointer) {
    const { camera } = this;
    const target = frame.focus ?? frame.me;
    const zoom = this.fit * (frame.zoom ?? 1);
    if (!target) {
      camera.zoom = zoom;
      camera.ready = true;
      return;
    }
    // Look a little towards where the captain aims.
    const lean = pointer && frame.phase === "playing" && target.hp > 0 ? 0.2 : 0;
    const lx = lean ? (((pointer.x - this.width / 2) / zoom) * lean) : 0;
    const ly = lean ? (((pointer.y - this.height / 2) / zoom) * lean) : 0;
    if (!camera.ready || Math.hypot(target.x - camera.x, target.y - camera.y) > 1500) {
      Object.assign(camera, { x: target.x, y: target.y, lx: 0, ly: 0, zoom, ready: true, fx: target.x, fy: target.y });
    }
    const soft = 1 - Math.exp(-frame.dt * 5);
    camera.lx += (lx - camera.lx) * soft;
    camera.ly += (ly - camera.ly) * soft;
    // Stays on the ship exactly; glides only to a new one, after sinking.
    const jump = Math.hypot(target.x - camera.fx, target.y - camera.fy);
    const glide = jump > 30 ? 1 - Math.exp(-frame.dt * 4) : 1;
    camera.fx += (target.x - camera.fx) * glide;
    camera.fy += (target.y - camera.fy) * glide;
    camera.x = camera.fx + camera.lx;
    camera.y = camera.fy + camera.ly;
    camera.zoom += (zoom - camera.zoom) * (1 - Math.exp(-frame.dt * 3));
  }

  // Layers ------------------------------------------------------------------------------------

  water(view, time) {
    const { c } = this;
    const w = view.right - view.left;
    const h = view.bottom - view.top;
    const lay = (pattern, x, y, size) => {
      pattern.setTransform(new DOMMatrix([size, 0, 0, size, x, y]));
      c.fillStyle = pattern;
      c.fillRect(view.left, view.top, w, h);
    };
    lay(this.swell, Math.sin(time * 0.11) * 40, time * 4, 1.7);
    lay(this.crests[0], time * 9, time * 5, 0.85);
    lay(this.crests[1], -time * 6, time * 9, 1.15);
  }

  land(x, y, r, time) {
    const { c } = this;
    const { image, reach, surf } = island(x, y, r);
    c.save();
    c.translate(x, y);
    c.drawImage(image, -reach, -reach, reach * 2, reach * 2);
    // Waves run up the beach.
    for (let i = 0; i < 2; i += 1) {
      const wave = (time * 0.22 + i * 0.5 + r * 0.013) % 1;
      c.save();
      const grow = 1 + (1 - wave) * (16 / r);
      c.scale(grow, grow);
      c.strokeStyle = `rgba(240,252,248,${(Math.sin(wave * Math.PI) * 0.5).toFixed(3)})`;
      c.lineWidth = 1.2 + wave * 1.6;
      c.stroke(surf);
      c.restore();
    }
    c.restore();
  }

  shadow(ship) {
    const { c } = this;
    c.save();
    c.translate(ship.x + 5, ship.y + 7);
    c.rotate(ship.heading);
    c.fillStyle = "rgba(2,22,34,.34)";
    c.fill(SHADOW);
    c.restore();
  }

  ship(ship, time) {
    const { c } = this;
    c.save();
    c.translate(ship.x, ship.y);
    c.rotate(ship.heading);
    if (ship.me) {
      c.strokeStyle = "rgba(255,217,120,.55)";
      c.lineWidth = 1.3;
      c.stroke(OUTLINE);
    }
    const roll = 1 - Math.min(0.1, Math.abs(ship.spin) * 0.05) + Math.sin(time * 1.7 + ship.slot * 2) * 0.012;
    c.scale(1.1, 1.1 * roll);
    c.drawImage(hull(ship.slot), -48, -48, 96, 96);
    const ahead = ship.vx * Math.cos(ship.heading) + ship.vy * Math.sin(ship.heading);
    sails(c, ship.slot, Math.min(1, Math.max(0, ahead / ship.speed)), time);
    c.restore();
    if (ship.protected) {
      c.strokeStyle = `rgba(180,236,255,${(0.45 + Math.sin(time * 8) * 0.2).toFixed(3)})`;
      c.lineWidth = 2;
      c.setLineDash([7, 6]);
      c.lineDashOffset = time * 20;
      c.beginPath();
      c.arc(ship.x, ship.y, 39, 0, TAU);
      c.stroke();
      c.setLineDash([]);
    }
  }

  ball(ball) {
    const { c } = this;
    const speed = Math.hypot(ball.vx, ball.vy) || 1;
    const dx = ball.vx / speed;
    const dy = ball.vy / speed;
    c.fillStyle = "rgba(2,20,30,.35)";
    c.beginPath();
    c.arc(ball.x + 4, ball.y + 9, 3, 0, TAU);
    c.fill();
    c.lineCap = "round";
    c.strokeStyle = "rgba(240,240,230,.22)";
    c.lineWidth = 3;
    c.beginPath();
    c.moveTo(ball.x - dx * 26, ball.y - dy * 26);
    c.lineTo(ball.x, ball.y);
    c.stroke();
    c.fillStyle = "#1c2025";
    c.beginPath();
    c.arc(ball.x, ball.y, 3.7, 0, TAU);
    c.fill();
    c.fillStyle = "rgba(255,255,255,.55)";
    c.beginPath();
    c.arc(ball.x - 1.1, ball.y - 1.2, 1.1, 0, TAU);
    c.fill();
  }

  /** Marks at the rim of the window for ships that are near but out of sight. */
  beyond(frame, seen) {
    const { c, camera } = this;
    for (const ship of frame.ships) {
      if (ship.me || ship.hp <= 0 || !seen(ship)) continue;
      const x = (ship.x - camera.x) * camera.zoom;
      const y = (ship.y - camera.y) * camera.zoom;
      const out = Math.max(Math.abs(x) / (this.width / 2 - 22), Math.abs(y) / (this.height / 2 - 22));
      const far = Math.hypot(ship.x - frame.me.x, ship.y - frame.me.y);
      if (out <= 1.06 || far > 1000) continue;
      c.save();
      c.translate(this.width / 2 + x / out, this.height / 2 + y / out);
      c.rotate(Math.atan2(y, x));
      c.globalAlpha = 0.95 - far / 1600;
      c.fillStyle = sailOf(ship.slot);
      c.strokeStyle = "rgba(4,20,30,.8)";
      c.lineWidth = 2;
      c.beginPath();
      c.moveTo(12, 0);
      c.lineTo(-5, 8);
      c.lineTo(-1, 0);
      c.lineTo(-5, -8);
      c.closePath();
      c.stroke();
      c.fill();
      c.restore();
    }
  }

  label(ship, leader) {
    const { c } = this;
    const y = ship.y - 46;
    const w = 46;
    if (ship.slot === leader) {
      const top = ship.me ? y - 6 : y - 21;
      c.fillStyle = "#ffd35c";
      c.strokeStyle = "rgba(40,22,0,.7)";
      c.lineWidth = 1.4;
      c.beginPath();
      for (const [dx, dy] of [[-9, 0], [-10, -9], [-4.5, -4.5], [0, -11], [4.5, -4.5], [10, -9], [9, 0]]) c.lineTo(ship.x + dx, top + dy);
      c.closePath();
      c.stroke();
      c.fill();
    }
    if (!ship.me) {
      c.font = "600 12.5px Georgia, serif";
      c.textAlign = "center";
      c.lineWidth = 3;
      c.strokeStyle = "rgba(4,22,32,.6)";
      c.strokeText(ship.name, ship.x, y - 5);
      c.fillStyle = "rgba(244,238,222,.95)";
      c.fillText(ship.name, ship.x, y - 5);
    }
    const part = Math.max(0, Math.min(1, ship.hp / ship.hull));
    c.fillStyle = "rgba(4,20,30,.62)";
    c.fillRect(ship.x - w / 2 - 1, y - 1, w + 2, 6);
    c.fillStyle = part > 0.55 ? "#7fd36b" : part > 0.28 ? "#f0b63e" : "#e8523f";
    c.fillRect(ship.x - w / 2, y, w * part, 4);
  }

  /** Where the volley would go, as far as it reaches. */
  aimLines(frame, aim) {
    const { c } = this;
    const { me } = frame;
    const dx = Math.cos(aim);
    const dy = Math.sin(aim);
    const ready = !(me.reload > 0.02);
    c.save();
    c.setLineDash([3, 9]);
    c.lineCap = "round";
    c.lineWidth = 2;
    for (const [x, y] of muzzles(me, aim, frame.shot[1])) {
      const g = c.createLinearGradient(x, y, x + dx * me.range, y + dy * me.range);
      const colour = ready ? "255,224,150" : "200,220,226";
      g.addColorStop(0, `rgba(${colour},0)`);
      g.addColorStop(0.15, `rgba(${colour},${ready ? 0.5 : 0.2})`);
      g.addColorStop(1, `rgba(${colour},${ready ? 0.16 : 0.06})`);
      c.strokeStyle = g;
      c.beginPath();
      c.moveTo(x + dx * 20, y + dy * 20);
      c.lineTo(x + dx * me.range, y + dy * me.range);
      c.stroke();
    }
    c.setLineDash([]);
    c.strokeStyle = `rgba(255,224,150,${ready ? 0.4 : 0.14})`;
    c.beginPath();
    c.arc(me.x, me.y, me.range + 6, aim - 0.07, aim + 0.07);
    c.stroke();
    c.restore();
  }

  crosshair({ x, y }, me) {
    const { c } = this;
    const ready = 1 - Math.min(1, me.reload ?? 0);
    c.lineWidth = 2;
    c.strokeStyle = "rgba(4,20,30,.55)";
    c.beginPath();
    c.arc(x, y, 14, 0, TAU);
    c.stroke();
    c.strokeStyle = ready >= 0.98 ? "#ffdf8f" : "rgba(236,244,244,.8)";
    c.lineWidth = 2.4;
    c.beginPath();
    c.arc(x, y, 14, -Math.PI / 2, -Math.PI / 2 + TAU * ready);
    c.stroke();
    c.lineWidth = 1.6;
    for (let i = 0; i < 4; i += 1) {
      const a = (i * Math.PI) / 2;
      c.beginPath();
      c.moveTo(x + Math.cos(a) * 9, y + Math.sin(a) * 9);
      c.lineTo(x + Math.cos(a) * 4, y + Math.sin(a) * 4);
      c.stroke();
    }
  }

  storm(sea, view, time, visible) {
    const { c } = this;
    const corner = Math.hypot(Math.max(Math.abs(view.left), Math.abs(view.right)), Math.max(Math.abs(view.top), Math.abs(view.bottom)));
    if (corner < sea - 40) return;
    c.save();
    c.beginPath();
    c.rect(view.left, view.top, view.right - view.left, view.bottom - view.top);
    c.arc(0, 0, sea, 0, TAU, true);
    c.fillStyle = "rgba(5,18,30,.62)";
    c.fill("evenodd");
    // Breakers along the edge.
    c.lineWidth = 5;
    c.strokeStyle = "rgba(214,240,244,.22)";
    c.beginPath();
    c.arc(0, 0, sea, 0, TAU);
    c.stroke();
    c.setLineDash([26, 20]);
    c.lineWidth = 2.5;
    c.strokeStyle = "rgba(240,250,250,.5)";
    c.lineDashOffset = time * 14;
    c.beginPath();
    c.arc(0, 0, sea - 4, 0, TAU);
    c.stroke();
    c.setLineDash([]);
    const count = 40;
    for (const [ring, out, size, drift] of [[0, 96, 250, 0.014], [1, 240, 330, -0.01], [2, 420, 420, 0.006]]) {
      if (ring > 0 && this.quality < 1 - ring * 0.2) break;
      for (let i = 0; i < count; i += 1) {
        const a = (i / count) * TAU + time * drift + ring;
        const d = sea + out + Math.sin(i * 5.1 + time * 0.5) * 14;
        const x = Math.cos(a) * d;
        const y = Math.sin(a) * d;
        if (!visible(x, y, size / 2)) continue;
        c.globalAlpha = 0.8;
        c.drawImage(cloud(i % 5), x - size / 2, y - size / 2, size, size);
      }
    }
    c.restore();
  }

  fog(frame, view, time) {
    const { c } = this;
    const { me, fog } = frame;
    const g = c.createRadialGradient(me.x, me.y, fog * 0.55, me.x, me.y, fog * 1.05);
    g.addColorStop(0, "rgba(178,196,202,0)");
    g.addColorStop(0.55, "rgba(172,192,199,.62)");
    g.addColorStop(1, "rgba(160,182,190,.97)");
    c.fillStyle = g;
    c.fillRect(view.left, view.top, view.right - view.left, view.bottom - view.top);
    const size = 460;
    const count = this.quality > 0.8 ? 14 : 0;
    for (let i = 0; i < count; i += 1) {
      const a = (i / count) * TAU + time * (i % 2 ? 0.03 : -0.022);
      const d = fog * (0.98 + 0.2 * Math.sin(i * 3.7 + time * 0.3));
      c.globalAlpha = 0.3;
      c.drawImage(puff("214,226,230", 0.1), me.x + Math.cos(a) * d - size / 2, me.y + Math.sin(a) * d - size / 2, size, size);
    }
    c.globalAlpha = 1;
  }
}

/** The chart in the corner. */
export function drawChart(element, frame, blank) {
  const c = element.getContext("2d");
  const size = element.width;
  const r = size / 2;
  const full = 900;
  const k = (r - 8) / full;
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, size, size);
  c.save();
  c.beginPath();
  c.arc(r, r, r - 3, 0, TAU);
  c.fillStyle = "rgba(226,206,160,.9)";
  c.fill();
  c.clip();
  c.translate(r, r);
  c.fillStyle = "rgba(60,36,16,.26)";
  c.beginPath();
  c.rect(-r, -r, size, size);
  c.arc(0, 0, frame.sea * k, 0, TAU, true);
  c.fill("evenodd");
  c.strokeStyle = "rgba(96,62,30,.22)";
  c.lineWidth = 1;
  for (let i = 1; i < 4; i += 1) {
    c.beginPath();
    c.arc(0, 0, (full * k * i) / 4, 0, TAU);
    c.stroke();
  }
  for (let i = 0; i < 8; i += 1) {
    c.beginPath();
    c.moveTo(0, 0);
    c.lineTo(Math.cos((i * TAU) / 8) * r, Math.sin((i * TAU) / 8) * r);
    c.stroke();
  }
  c.strokeStyle = "#8a3b2a";
  c.lineWidth = 2;
  c.setLineDash([6, 5]);
  c.beginPath();
  c.arc(0, 0, frame.sea * k, 0, TAU);
  c.stroke();
  c.setLineDash([]);
  for (const [x, y, radius] of frame.islands) {
    c.fillStyle = "#a98552";
    c.strokeStyle = "#6d4a24";
    c.lineWidth = 1.5;
    c.beginPath();
    c.arc(x * k, y * k, radius * k, 0, TAU);
    c.fill();
    c.stroke();
  }
  for (const ship of frame.ships) {
    if (ship.hp <= 0) continue;
    if (blank && !ship.me && (!frame.me || Math.hypot(ship.x - frame.me.x, ship.y - frame.me.y) > blank)) continue;
    c.save();
    c.translate(ship.x * k, ship.y * k);
    c.rotate(ship.heading);
    c.fillStyle = ship.colour;
    c.strokeStyle = ship.me ? "#1c120a" : "rgba(40,24,10,.8)";
    c.lineWidth = ship.me ? 2.5 : 1.5;
    const s = ship.me ? 2 : 1.5;
    c.beginPath();
    c.moveTo(9 * s, 0);
    c.lineTo(-6 * s, 5.5 * s);
    c.lineTo(-3 * s, 0);
    c.lineTo(-6 * s, -5.5 * s);
    c.closePath();
    c.fill();
    c.stroke();
    c.restore();
  }
  c.restore();
  c.strokeStyle = "#5b3a1c";
  c.lineWidth = 5;
  c.beginPath();
  c.arc(r, r, r - 4, 0, TAU);
  c.stroke();
  c.strokeStyle = "#d9b062";
  c.lineWidth = 2;
  c.beginPath();
  c.arc(r, r, r - 4, 0, TAU);
  c.stroke();
}
