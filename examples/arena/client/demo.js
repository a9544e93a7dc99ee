// A quiet bay for the start page: a few ships on patrol, now and then a salute. No server.

import { muzzles, sail, stayIn, wrap } from "./sailing.js";

const RULES = [1.5, 0.65, 0.45, 2.6, 6, 0.5, 21];
const KIT = { speed: 84, turn: 1 };
const ISLANDS = [[-210, -60, 92], [250, 150, 70], [330, -250, 54], [-330, 270, 60]];

export class Demo {
  constructor() {
    this.ships = [1, 3, 2, 5, 7].map((slot, i) => {
      const a = (i / 5) * Math.PI * 2;
      return { slot, x: Math.cos(a) * 330, y: Math.sin(a) * 220, vx: 0, vy: 0, heading: a + 1.6, spin: 0, way: i, salute: 2 + i * 1.7 };
    });
    this.balls = [];
    this.last = 0;
  }

  sample(now) {
    const dt = Math.min(0.05, (now - (this.last || now)) / 1000);
    this.last = now;
    const events = [];
    for (const ship of this.ships) {
      // Round the bay, each on a course of its own, wide of the land.
      const a = Math.atan2(ship.y / 0.7, ship.x) + 0.6;
      const out = 300 + ship.slot * 34;
      let want = Math.atan2(Math.sin(a) * out * 0.7 - ship.y, Math.cos(a) * out - ship.x);
      for (const [x, y, r] of ISLANDS) {
        const gap = Math.hypot(x - ship.x, y - ship.y) - r;
        const to = Math.atan2(y - ship.y, x - ship.x);
        const off = wrap(want - to);
        if (gap < 120 && Math.abs(off) < 1.3) want = to + (off < 0 ? -1.3 : 1.3);
      }
      sail(ship, 1, Math.max(-1, Math.min(1, wrap(want - ship.heading) * 2)), dt, KIT, RULES);
      stayIn(ship, ISLANDS, 900, 21);
      ship.salute -= dt;
      if (ship.salute < 0) {
        ship.salute = 5 + Math.random() * 6;
        const aim = ship.heading + (Math.random() < 0.5 ? 1.4 : -1.4);
        const from = muzzles(ship, aim, 0.5);
        events.push({ kind: "volley", aim, from, quiet: true });
        for (const [x, y] of from) this.balls.push({ x, y, vx: Math.cos(aim) * 400, vy: Math.sin(aim) * 400, left: 0.6 + Math.random() * 0.2, slot: ship.slot });
      }
    }
    for (const ball of this.balls) {
      ball.x += ball.vx * dt;
      ball.y += ball.vy * dt;
      ball.left -= dt;
      if (ball.left <= 0) events.push({ kind: "splash", x: ball.x, y: ball.y });
    }
    this.balls = this.balls.filter((ball) => ball.left > 0);
    const time = now / 1000;
    return {
      now, dt, events, balls: this.balls, islands: ISLANDS, sea: 900, fog: 0, phase: "demo", me: null, shot: [440, 0.5],
      ships: this.ships.map((ship) => ({ ...ship, hp: 1, hull: 1, speed: 84, quiet: true, name: "" })),
      focus: { x: Math.sin(time * 0.05) * 120, y: Math.cos(time * 0.04) * 60, hp: 0 }, zoom: 1.15,
    };
  }
}
