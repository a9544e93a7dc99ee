// The movement rules of ships.lua once more, so that the own ship answers the helm at once.
// The numbers come with the state; only the rules are written twice.

/** Seconds one order stands for: STEP in ships.lua. */
export const STEP = 0.05;

/**
 * @param {any} ship {x, y, vx, vy, heading, spin}
 * @param {number} thrust
 * @param {number} turn
 * @param {number} dt seconds
 * @param {{speed: number, turn: number}} kit
 * @param {number[]} rules as ships.rules() lists them
 */
export function sail(ship, thrust, turn, dt, kit, rules) {
  const [accelerate, coast, astern, grip, helm, helmAtRest] = rules;
  const c = Math.cos(ship.heading);
  const s = Math.sin(ship.heading);
  let ahead = ship.vx * c + ship.vy * s;
  let aside = ship.vy * c - ship.vx * s;

  const want = kit.speed * (thrust >= 0 ? thrust : thrust * astern);
  ahead += (want - ahead) * (thrust === 0 ? coast : accelerate) * dt;
  aside *= 1 - grip * dt;

  const way = Math.min(1, Math.abs(ahead) / kit.speed);
  const bite = helmAtRest + (1 - helmAtRest) * way;
  ship.spin += (turn * kit.turn * bite - ship.spin) * helm * dt;

  ship.heading = wrap(ship.heading + ship.spin * dt);
  ship.vx = ahead * c - aside * s;
  ship.vy = ahead * s + aside * c;
  ship.x += ship.vx * dt;
  ship.y += ship.vy * dt;
}

/** Off the islands and inside the edge. */
export function stayIn(ship, islands, sea, radius) {
  for (const [ix, iy, size] of islands) {
    const dx = ship.x - ix;
    const dy = ship.y - iy;
    const reach = size + radius;
    const d2 = dx * dx + dy * dy;
    if (d2 >= reach * reach || d2 === 0) continue;
    const d = Math.sqrt(d2);
    const nx = dx / d;
    const ny = dy / d;
    ship.x = ix + nx * reach;
    ship.y = iy + ny * reach;
    const into = ship.vx * nx + ship.vy * ny;
    if (into < 0) {
      ship.vx -= into * nx;
      ship.vy -= into * ny;
    }
  }
  const d = Math.hypot(ship.x, ship.y);
  const limit = sea - radius;
  if (d > limit) {
    const nx = ship.x / d;
    const ny = ship.y / d;
    ship.x = nx * limit;
    ship.y = ny * limit;
    const out = ship.vx * nx + ship.vy * ny;
    if (out > 0) {
      ship.vx -= out * nx;
      ship.vy -= out * ny;
    }
  }
}

/** Where the balls of a volley start, as cannon.lua has it: [x, y] each. */
export function muzzles(ship, aim, broadside) {
  const dx = Math.cos(aim);
  const dy = Math.sin(aim);
  const c = Math.cos(ship.heading);
  const s = Math.sin(ship.heading);
  const across = dy * c - dx * s;
  if (Math.abs(across) < broadside) return [[ship.x + dx * 24, ship.y + dy * 24]];
  const side = across > 0 ? 11 : -11;
  return [-15, 0, 15].map((along) => [ship.x + along * c - side * s, ship.y + along * s + side * c]);
}

/** An angle as one between -pi and pi. */
export function wrap(angle) {
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}
