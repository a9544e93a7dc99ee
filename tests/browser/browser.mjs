// The real browser, and what a person sees and does in it.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const SHOTS = join(import.meta.dirname, "shots");
mkdirSync(SHOTS, { recursive: true });

/** How long anything may take that takes a moment, in milliseconds: on a loaded machine, too. */
const SOON = 20_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

/**
 * A browser profile of its own, as a new visitor's; it ends with the test.
 * @param {import("node:test").TestContext} t
 * @param {import("playwright-core").Browser} browser
 */
export async function visitor(t, browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
  context.setDefaultTimeout(SOON);
  t.after(async () => {
    if (t.passed === false) {
      const name = t.name.replace(/\W+/g, "-");
      await Promise.all(context.pages().map((page, i) => page.screenshot({ path: join(SHOTS, `failed-${name}-${i + 1}.png`) })));
    }
    await context.close();
  });
  return context;
}

/** One window with the arena in it. */
export class Window {
  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    /** Everything a developer would see in red. @type {string[]} */
    this.complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.complaints.push(`uncaught: ${error.stack ?? error}`));
    page.on("requestfailed", (request) => this.complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
    page.on("response", (response) => {
      if (response.status() >= 400) this.complaints.push(`${response.status()}: ${response.url()}`);
    });
  }

  /** @param {import("playwright-core").BrowserContext} context @param {string} url */
  static async open(context, url) {
    const window = new Window(await context.newPage());
    await window.page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    await window.page.goto(url);
    await window.screen("start");
    return window;
  }

  /** An element by its `data-testid`. */
  $(testid) {
    return this.page.getByTestId(testid);
  }

  /** Types the name and presses Play. */
  async play(name) {
    await this.$("name").fill(name);
    await this.$("play").click();
  }

  /** Waits for one of the page's screens, and that a person sees it. */
  async screen(name) {
    await this.until(`the screen "${name}"`, (wanted) => document.body.dataset.screen === wanted, name);
    const id = { playing: "hud" }[name] ?? name;
    await this.page.locator(`#${id}`).waitFor({ state: "visible" });
  }

  /**
   * Waits until `check` is truthy in the page; gives what it gave.
   * @param {string} what for the message if it does not come
   * @param {(arg: any) => any} check runs in the page, where `arena` is the debug object
   */
  async until(what, check, arg) {
    try {
      const handle = await this.page.waitForFunction(check, arg, { polling: 50, timeout: SOON });
      return await handle.jsonValue();
    } catch (error) {
      const now = await this.page.evaluate(() => ({ screen: arena.screen, left: arena.state?.left, tick: arena.state?.tick }));
      throw new Error(`waited for ${what}; the page is at ${JSON.stringify(now)}`, { cause: error });
    }
  }

  /** The own ship, as the server has it. */
  ship() {
    return this.page.evaluate(() => arena.state.players[arena.me]);
  }

  /** Waits until the match is `ticks` further. */
  async ticks(ticks) {
    const from = await this.page.evaluate(() => arena.state.tick);
    await this.until(`tick ${from + ticks}`, (tick) => arena.state?.tick >= tick, from + ticks);
  }

  /** A picture for people; and a check that there is one. @param {string} name */
  async shot(name) {
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`) });
    const colours = await this.page.evaluate(() => {
      const small = Object.assign(document.createElement("canvas"), { width: 32, height: 18 }).getContext("2d");
      small.drawImage(document.getElementById("view"), 0, 0, 32, 18);
      return new Set(new Uint32Array(small.getImageData(0, 0, 32, 18).data.buffer)).size;
    });
    assert.ok(colours > 20, `${name}: the bay is drawn (${colours} colours)`);
  }
}
