// Keyboard, mouse and fingers, as what a captain wants: thrust, turn, where to aim, fire.

const KEYS = {
  KeyW: "up", ArrowUp: "up", KeyS: "down", ArrowDown: "down",
  KeyA: "left", ArrowLeft: "left", KeyD: "right", ArrowRight: "right",
  Space: "fire",
};

export class Controls {
  /**
   * @param {HTMLElement} surface where aiming and touching happens
   * @param {HTMLElement} stick the picture of the touch stick
   */
  constructor(surface, stick) {
    this.down = new Set();
    /** Where the mouse is on the screen, in CSS pixels. */
    this.pointer = { x: innerWidth * 0.6, y: innerHeight * 0.4 };
    this.mouseFire = false;
    this.clicked = false; // a click shorter than a step still fires once
    this.active = false;
    this.stick = stick;
    this.touch = { move: null, aim: null, x: 0, y: 0, startX: 0, startY: 0 };
    this.usesTouch = false;

    addEventListener("keydown", (event) => {
      const key = KEYS[event.code];
      if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target instanceof HTMLInputElement) return;
      // Noticed on every screen, so that a key held through a countdown counts when it ends.
      this.down.add(key);
      if (!this.active) return;
      if (key === "fire") this.clicked = true;
      event.preventDefault();
    });
    addEventListener("keyup", (event) => {
      const key = KEYS[event.code];
      if (key) this.down.delete(key);
    });
    addEventListener("blur", () => this.release());
    addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") this.touchMove(event);
      else this.pointer = { x: event.clientX, y: event.clientY };
    });
    surface.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") return this.touchStart(event);
      if (event.button !== 0) return;
      this.pointer = { x: event.clientX, y: event.clientY };
      this.mouseFire = true;
      this.clicked = true;
    });
    addEventListener("pointerup", (event) => this.pointerEnd(event));
    addEventListener("pointercancel", (event) => this.pointerEnd(event));
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  release() {
    this.down.clear();
    this.mouseFire = false;
    this.clicked = false;
  }

  touchStart(event) {
    this.usesTouch = true;
    if (event.clientX < innerWidth * 0.45 && this.touch.move === null) {
      Object.assign(this.touch, { move: event.pointerId, startX: event.clientX, startY: event.clientY, x: 0, y: 0 });
      this.stick.style.cssText = `display:block;left:${event.clientX}px;top:${event.clientY}px`;
      this.showStick();
    } else if (this.touch.aim === null) {
      this.touch.aim = event.pointerId;
      this.pointer = { x: event.clientX, y: event.clientY };
      this.mouseFire = true;
      this.clicked = true;
    }
  }

  touchMove(event) {
    if (event.pointerId === this.touch.aim) {
      this.pointer = { x: event.clientX, y: event.clientY };
    } else if (event.pointerId === this.touch.move) {
      const dx = event.clientX - this.touch.startX;
      const dy = event.clientY - this.touch.startY;
      const far = Math.max(50, Math.hypot(dx, dy));
      this.touch.x = dx / far;
      this.touch.y = dy / far;
      this.showStick();
    }
  }

  pointerEnd(event) {
    if (event.pointerType !== "touch") {
      if (event.button === 0) this.mouseFire = false;
    } else if (event.pointerId === this.touch.aim) {
      this.touch.aim = null;
      this.mouseFire = false;
    } else if (event.pointerId === this.touch.move) {
      Object.assign(this.touch, { move: null, x: 0, y: 0 });
      this.stick.style.display = "none";
    }
  }

  showStick() {
    const knob = /** @type {HTMLElement} */ (this.stick.firstElementChild);
    knob.style.transform = `translate(${this.touch.x * 38}px, ${this.touch.y * 38}px)`;
  }

  /**
   * @param {number} heading of the own ship, for the stick, which points where to go
   * @param {number} aim
   */
  keys(heading, aim) {
    let thrust = Number(this.down.has("up")) - Number(this.down.has("down"));
    let turn = Number(this.down.has("right")) - Number(this.down.has("left"));
    const push = Math.hypot(this.touch.x, this.touch.y);
    if (push > 0.2) {
      const off = Math.atan2(this.touch.y, this.touch.x) - heading;
      const wrapped = Math.atan2(Math.sin(off), Math.cos(off));
      turn = Math.max(-1, Math.min(1, wrapped * 2));
      thrust = Math.round(push * 100) / 100;
      turn = Math.round(turn * 100) / 100;
    }
    if (!this.active) return { thrust: 0, turn: 0, aim: 0, fire: false };
    return { thrust, turn, aim: Math.round(aim * 1000) / 1000, fire: this.mouseFire || this.down.has("fire") || this.clicked };
  }

  /** The short click has been passed on. */
  spent() {
    this.clicked = false;
  }
}
