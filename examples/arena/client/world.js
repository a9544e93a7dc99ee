// What is on the water right now, at 60 frames a second, from states that come ten times a
// second. Others are shown a moment in the past, between two states; the own ship is shown
// where it will be when the server has read what was pressed.

import { muzzles, sail, stayIn, STEP, wrap } from "./sailing.js";

const list = (value) => (Array.isArray(value) ? value : []);

/** How quickly a wrong prediction fades, in seconds. */
const FORGIVE = 0.12;

export class World {
  /** @param {string} me the own player id */
  constructor(me) {
    this.me = me;
    this.seq = 0;
    this.reset();
  }

  reset() {
    /** @type {any[]} */
    this.snaps = [];
    this.state = null;
    this.events = [];
    this.offsets = [];
    this.base = null; // local time of tick 0
    this.delay = 120;
    this.pending = [];
    this.pred = null;
    this.error = { x: 0, y: 0, heading: 0 };
    this.ghosts = [];
    this.lag = 220;
    this.sinceStep = 0;
    this.held = { thrust: 0, turn: 0, aim: 0, fire: false };
    this.lastSample = 0;
  }

  /** A state has come. @param {any} state @param {number} now */
  push(state, now) {
    const last = this.snaps.at(-1);
    // Restarted from a snapshot, or away for long: begin anew.
    if (last && (state.tick <= last.state.tick || state.tick > last.state.tick + 30)) {
      const { pending } = this;
      this.reset();
      this.pending = pending;
    }
    const ms = state.ms || 100;
    const t = state.tick * ms;
    this.keepTime(now - t, ms);

    const ships = new Map(Object.entries(state.players ?? {}));
    const balls = new Map(list(state.balls).map((ball) => [ball[0], ball]));
    const snap = { t, state, ships, balls, islands: list(state.islands) };
    this.notice(snap, this.snaps.at(-1), ms);
    this.snaps.push(snap);
    if (this.snaps.length > 30) this.snaps.shift();
    this.state = state;
    this.reconcile(snap, now);
  }

  /** Follows the server's clock: the quickest of the last states says when a tick is due here. */
  keepTime(offset, ms) {
    this.offsets.push(offset);
    if (this.offsets.length > 40) this.offsets.shift();
    const sorted = [...this.offsets].sort((a, b) => a - b);
    const earliest = sorted[0];
    const late = sorted[Math.floor(sorted.length * 0.9)] - earliest;
    const delay = Math.min(3 * ms, Math.max(1.1 * ms, ms + late + 12));
    this.base = this.base === null ? earliest : this.base + (earliest - this.base) * 0.15;
    this.delay += (delay - this.delay) * 0.1;
  }

  /** What happened between two states, to be shown when its time comes. */
  notice(snap, before, ms) {
    const { state, t } = snap;
    const slot = state.players?.[this.me]?.s;
    for (const ball of snap.balls.values()) {
      if (!before || before.balls.has(ball[0])) continue;
      const mine = ball[1] === slot ? this.ghosts.find((ghost) => !ghost.ball) : undefined;
      if (mine) this.adopt(mine, ball, t);
      else this.events.push({ t: t - ms * 0.5, kind: "shot", ball });
    }
    for (const [kind, x, y, by, ship] of list(state.fx)) {
      const name = ["", "hit", "splash", "ground", "sunk"][kind];
      if (name) this.events.push({ t: t - ms * 0.3, kind: name, x, y, by, ship, snap });
    }
  }

  /** The server's ball for one that was already shown. */
  adopt(ghost, ball, t) {
    ghost.ball = ball[0];
    const speed = Math.hypot(ball[4], ball[5]) || 1;
    const gone = Math.hypot(ball[2] - ghost.x, ball[3] - ghost.y);
    const shownFrom = this.base + t + this.delay - (gone / speed) * 1000;
    const lag = Math.min(600, Math.max(60, shownFrom - ghost.born));
    this.lag += (lag - this.lag) * 0.2;
  }

  get slot() {
    return this.state?.players?.[this.me]?.s ?? 0;
  }

  // The own ship -----------------------------------------------------------------------------

  /**
   * One order, for one step: predicts it and gives back what to send. Call it every STEP.
   * @param {{thrust: number, turn: number, aim: number, fire: boolean}} keys
   * @param {number} now
   */
  order(keys, now) {
    this.seq += 1;
    const order = { seq: this.seq, ...keys };
    this.pending.push(order);
    if (this.pending.length > 60) this.pending.shift();
    if (this.pred) {
      const shots = this.step(this.pred, order);
      if (shots) this.shoot(order, now);
    }
    this.sinceStep = 0;
    return order;
  }

  /** @returns {boolean} whether the guns went off */
  step(ship, order) {
    const playing = this.state.phase === "playing";
    if (this.state.phase === "countdown" || ship.hp <= 0) return false;
    const snap = this.snaps.at(-1);
    sail(ship, playing ? order.thrust : 0, playing ? order.turn : 0, STEP, ship.kit, this.state.rules);
    stayIn(ship, snap.islands, this.state.sea, this.state.rules[6]);
    ship.reload = Math.max(0, ship.reload - STEP);
    if (playing && order.fire && ship.reload <= 0.001) {
      ship.reload = ship.kit.reload;
      return true;
    }
    return false;
  }

  shoot(order, now) {
    const [speed, broadside] = this.state.shot;
    for (const [x, y] of muzzles(this.pred, order.aim, broadside)) {
      this.ghosts.push({
        x, y, vx: Math.cos(order.aim) * speed, vy: Math.sin(order.aim) * speed, born: now,
        life: this.pred.kit.range / speed, slot: this.slot, ball: 0,
      });
    }
    this.events.push({ t: -Infinity, kind: "volley", aim: order.aim, from: muzzles(this.pred, order.aim, broadside) });
  }

  /** Takes the server's word for the own ship and does again what it has not read yet. */
  reconcile(snap, now) {
    const mine = snap.ships.get(this.me);
    if (!mine) {
      this.pred = null;
      return;
    }
    const shown = this.pred && this.pred.hp > 0 ? this.shownShip(now) : null;
    const seq = mine.seq ?? 0;
    // Orders are numbered from where this ship was left, by an earlier page of this player.
    if (this.seq < seq && this.pending.length === 0) this.seq = seq;
    this.pending = this.pending.filter((order) => order.seq > seq);
    const [speed, turn, reload, range, hull] = mine.k;
    const ship = {
      x: mine.x, y: mine.y, vx: mine.vx, vy: mine.vy, heading: mine.h, spin: mine.w, hp: mine.hp,
      reload: mine.r ?? 0, kit: { speed, turn, reload, range, hull },
    };
    this.pred = ship;
    for (const order of this.pending.slice(mine.o ?? 0)) this.step(ship, order);
    if (!shown || ship.hp <= 0) {
      this.error = { x: 0, y: 0, heading: 0 };
      return;
    }
    const after = this.shownShip(now, true);
    const error = { x: shown.x - after.x, y: shown.y - after.y, heading: wrap(shown.heading - after.heading) };
    const far = Math.hypot(error.x, error.y) > 140;
    this.error = far ? { x: 0, y: 0, heading: 0 } : error;
    this.lastError = Math.hypot(error.x, error.y);
  }

  /** The own ship as it is drawn: predicted up to this very moment, corrections faded in. */
  shownShip(now, raw = false) {
    const ship = { ...this.pred };
    const part = Math.min(STEP, Math.max(0, this.sinceStep));
    if (this.state.phase !== "countdown" && part > 0) {
      const playing = this.state.phase === "playing";
      sail(ship, playing ? this.held.thrust : 0, playing ? this.held.turn : 0, part, ship.kit, this.state.rules);
      stayIn(ship, this.snaps.at(-1).islands, this.state.sea, this.state.rules[6]);
    }
    if (!raw) {
      ship.x += this.error.x;
      ship.y += this.error.y;
      ship.heading = wrap(ship.heading + this.error.heading);
    }
    return ship;
  }

  // The frame --------------------------------------------------------------------------------

  /**
   * Everything to draw at the local time `now`.
   * @param {number} now
   */
  sample(now) {
    if (this.snaps.length === 0) return null;
    const dt = Math.min(0.1, (now - (this.lastSample || now)) / 1000);
    this.lastSample = now;
    const fade = Math.exp(-dt / FORGIVE);
    this.error.x *= fade;
    this.error.y *= fade;
    this.error.heading *= fade;

    const t = now - this.base - this.delay;
    const { snaps } = this;
    let i = snaps.length - 1;
    while (i > 0 && snaps[i].t > t) i -= 1;
    const a = snaps[i];
    const b = snaps[Math.min(i + 1, snaps.length - 1)];
    const newest = snaps.at(-1);
    const span = b.t - a.t;
    const f = span > 0 ? Math.min(1, Math.max(0, (t - a.t) / span)) : 0;
    // Past the newest state: on by dead reckoning, but not for long.
    const beyond = span > 0 ? 0 : Math.min(0.2, Math.max(0, (t - b.t) / 1000));

    const crew = new Map(list(newest.state.crew).map((row) => [row[0], row]));
    const ships = [];
    for (const [id, to] of b.ships) {
      const from = a.ships.get(id) ?? to;
      const row = crew.get(to.s);
      const jumped = Math.hypot(to.x - from.x, to.y - from.y) > 120 || from.hp <= 0;
      const ship = jumped || from === to ? placed(to, beyond) : between(from, to, f, span / 1000);
      Object.assign(ship, {
        id, slot: to.s, hp: f < 0.5 ? from.hp : to.hp, hull: to.k?.[4] ?? 100, speed: to.k?.[0] ?? 165,
        protected: (to.p ?? 0) > 0, down: to.down, name: row?.[1] ?? "", me: id === this.me,
      });
      if (ship.me && this.pred) {
        const own = this.shownShip(now);
        Object.assign(ship, { x: own.x, y: own.y, vx: own.vx, vy: own.vy, heading: own.heading, spin: own.spin });
        ship.hp = this.pred.hp;
        ship.protected = (newest.ships.get(id)?.p ?? 0) > 0;
        ship.reload = this.pred.reload / this.pred.kit.reload;
        ship.range = this.pred.kit.range;
        ship.down = newest.ships.get(id)?.down;
      }
      ships.push(ship);
    }

    const best = [...crew.values()].reduce((top, row) => (row[2] > (top?.[2] ?? 0) ? row : top), null);
    const frame = {
      t, now, dt, ships,
      leader: best?.[0] ?? 0,
      balls: this.ballsAt(t, now),
      islands: b.islands,
      sea: a.state.sea + (b.state.sea - a.state.sea) * f,
      fog: newest.state.fog ?? 0,
      phase: newest.state.phase,
      me: ships.find((ship) => ship.me) ?? null,
      shot: newest.state.shot ?? [440, 0.5],
      events: this.events.filter((event) => event.t <= t),
    };
    this.events = this.events.filter((event) => event.t > t);
    return frame;
  }

  ballsAt(t, now) {
    const adopted = new Set(this.ghosts.map((ghost) => ghost.ball));
    const seen = new Map();
    // A ball flies straight, so any state that has it says where it is at any time near.
    for (const snap of this.snaps) {
      if (snap.t < t - 400) continue;
      for (const [id, ball] of snap.balls) {
        const entry = seen.get(id);
        if (entry) entry.until = snap.t;
        else seen.set(id, { ball, at: snap.t, from: snap.t, until: snap.t });
      }
    }
    const newest = this.snaps.at(-1).t;
    const balls = [];
    for (const [id, { ball, at, from, until }] of seen) {
      if (adopted.has(id)) continue;
      const gone = until < newest;
      if (t < from - 55 || t > (gone ? until + 55 : until + 300)) continue;
      const dt = (t - at) / 1000;
      balls.push({ x: ball[2] + ball[4] * dt, y: ball[3] + ball[5] * dt, vx: ball[4], vy: ball[5], slot: ball[1] });
    }
    // Own balls start at once and fall back, little by little, to where the server has them.
    this.ghosts = this.ghosts.filter((ghost) => {
      const age = (now - ghost.born) / 1000;
      if (!ghost.ball) return age < 0.7;
      const entry = seen.get(ghost.ball);
      return entry ? !(entry.until < newest && t > entry.until + 55) : age < 0.4;
    });
    for (const ghost of this.ghosts) {
      const age = (now - ghost.born) / 1000;
      const flown = Math.max(0, age - (this.lag / 1000) * (1 - Math.exp(-age / 0.45)));
      balls.push({ x: ghost.x + ghost.vx * flown, y: ghost.y + ghost.vy * flown, vx: ghost.vx, vy: ghost.vy, slot: ghost.slot });
    }
    return balls;
  }
}

function placed(to, beyond) {
  return {
    x: to.x + to.vx * beyond, y: to.y + to.vy * beyond, vx: to.vx, vy: to.vy,
    heading: to.h + to.w * beyond, spin: to.w,
  };
}

/** Between two states along a curve that has the right speed at both ends. */
function between(a, b, f, seconds) {
  const f2 = f * f;
  const f3 = f2 * f;
  const h1 = 2 * f3 - 3 * f2 + 1;
  const h2 = f3 - 2 * f2 + f;
  const h3 = 3 * f2 - 2 * f3;
  const h4 = f3 - f2;
  const at = (p, v, q, w) => h1 * p + h2 * seconds * v + h3 * q + h4 * seconds * w;
  return {
    x: at(a.x, a.vx, b.x, b.vx),
    y: at(a.y, a.vy, b.y, b.vy),
    vx: a.vx + (b.vx - a.vx) * f,
    vy: a.vy + (b.vy - a.vy) * f,
    heading: a.h + wrap(b.h - a.h) * f,
    spin: a.w + (b.w - a.w) * f,
  };
}
