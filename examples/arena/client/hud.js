// Everything on the page that is not the sea. Text from other players is only ever set as text.

import { icon } from "./icons.js";
import { sailOf } from "./palette.js";

export const $ = (id) => document.getElementById(id);

/** An element with properties and children. */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "style") element.style.cssText = value;
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

const list = (value) => (Array.isArray(value) ? value : []);

/** Sets text only where it changed, so that nothing is laid out for nothing. */
function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

const clock = (seconds) => {
  const s = Math.max(0, Math.ceil(seconds - 0.05));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
};

const dot = (slot) => el("i", { className: "dot", style: `background:${sailOf(slot)}` });

/** {slot, name, score, round, sunk, lost, boons} of each ship, best first. */
export function standing(state) {
  return list(state?.crew)
    .map(([slot, name, score, round, sunk, lost, boons]) => ({ slot, name, score, round, sunk, lost, boons: list(boons) }))
    .sort((a, b) => b.score - a.score || b.sunk - a.sunk || a.slot - b.slot);
}

export class Hud {
  constructor() {
    this.bannerTimer = 0;
    this.cards = "";
    this.boardKey = "";
    this.full = false;
  }

  // Always --------------------------------------------------------------------------------------

  toast(message, kind = "") {
    const box = el("div", { className: `toast ${kind}` }, el("p", { textContent: message }),
      el("button", { type: "button", textContent: "×", ariaLabel: "Dismiss" }));
    box.lastChild.addEventListener("click", () => box.remove());
    $("toasts").append(box);
    while ($("toasts").childElementCount > 3) $("toasts").firstChild.remove();
    if (kind !== "fault") setTimeout(() => box.remove(), 5000);
    return box;
  }

  /** A script of the game failed: for whoever is writing it. */
  fault({ callback, script, message, line }) {
    const where = line ? `${script}:${line}` : script;
    // Not the message: it says how many the server held back, which differs each time.
    const key = `${where} ${callback}`;
    for (const old of document.querySelectorAll(".toast.fault")) {
      if (old.dataset.key !== key) continue;
      old.dataset.times = String(Number(old.dataset.times) + 1);
      text(old.querySelector("b"), `${where} in ${callback} (${old.dataset.times}×)`);
      this.#goAway(old);
      return;
    }
    const box = this.toast(String(message), "fault");
    Object.assign(box.dataset, { key, times: "1", testid: "fault" });
    box.prepend(el("b", { textContent: `${where} in ${callback}` }));
    this.#goAway(box);
  }

  /** A fault that has not come again for a while is mended, or will be back. */
  #goAway(box) {
    clearTimeout(Number(box.dataset.timer));
    box.dataset.timer = String(setTimeout(() => box.remove(), 20_000));
  }

  banner(title, sub = "", seconds = 2.6) {
    const box = $("banner");
    box.replaceChildren(el("strong", { textContent: title }), ...(sub ? [el("span", { textContent: sub })] : []));
    box.classList.remove("show");
    void box.offsetWidth;
    box.classList.add("show");
    clearTimeout(this.bannerTimer);
    this.bannerTimer = setTimeout(() => box.classList.remove("show"), seconds * 1000);
  }

  /** Keeps the banner up, counting, while the own ship is on the ground of the bay. */
  respawn(seconds) {
    const box = $("banner");
    if (seconds > 0) {
      if (!this.sunk) this.banner("Your ship is lost", "", 60);
      this.sunk = true;
      const line = box.querySelector("em") ?? box.appendChild(el("em"));
      text(line, `A new ship in ${Math.ceil(seconds)}`);
    } else if (this.sunk) {
      this.sunk = false;
      box.classList.remove("show");
    }
  }

  feed(event) {
    const item = el("li", {},
      ...(event.by ? [dot(event.by_slot), el("b", { textContent: event.by }), " sank "] : ["Lost: "]),
      dot(event.ship_slot), el("b", { textContent: event.ship }));
    $("feed").prepend(item);
    while ($("feed").childElementCount > 5) $("feed").lastChild.remove();
    setTimeout(() => item.classList.add("old"), 5500);
    setTimeout(() => item.remove(), 6500);
  }

  hurt() {
    const element = $("hurt");
    element.classList.remove("now");
    void element.offsetWidth;
    element.classList.add("now");
  }

  // Queue ---------------------------------------------------------------------------------------

  /** @param {{waiting: number, size: number, most: number, botsAt: number | null}} queue */
  queue(queue) {
    const { waiting, size, most, botsAt } = queue;
    const berths = $("berths");
    if (berths.childElementCount !== most) {
      berths.replaceChildren(...Array.from({ length: most }, (_, i) => {
        const ship = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        ship.setAttribute("viewBox", "0 0 40 40");
        ship.innerHTML = '<path class="sail" d="M21 5v21h13C32 17 28 10 21 5zM18 9c-6 5-9 11-10 17h10z"/><path class="hull" d="M5 29h31l-5 7H10z"/>';
        ship.style.color = sailOf(i + 1);
        return ship;
      }));
    }
    [...berths.children].forEach((ship, i) => ship.classList.toggle("here", i < waiting));
    const needed = Math.max(0, size - waiting);
    text($("queue-line"), needed === 0 ? "All aboard, casting off…"
      : `${waiting} ${waiting === 1 ? "captain waits" : "captains wait"}, ${needed} more needed`);
    const left = botsAt === null ? null : Math.max(0, (botsAt - Date.now()) / 1000);
    text($("queue-bots"), left === null || needed === 0 ? "\u00a0"
      : left > 0 ? `Old salts sign on in ${left.toFixed(1)} s` : "Old salts are signing on…");
  }

  // Battle --------------------------------------------------------------------------------------

  /** Ten times a second. @param {any} state @param {any} frame @param {string} me */
  battle(state, frame, me) {
    text($("round"), `Round ${state.round} of ${state.rounds}`);
    text($("time"), state.phase === "playing" ? clock(state.left) : "–:––");
    $("clock").classList.toggle("soon", state.phase === "playing" && state.left <= 10);
    text($("modifier"), state.mod_name ?? "");

    const mySlot = state.players?.[me]?.s ?? 0;
    this.board(standing(state), mySlot);

    const ship = frame?.me;
    if (!ship) return;
    const part = Math.max(0, Math.min(1, ship.hp / ship.hull));
    const hull = $("hull");
    hull.firstElementChild.style.transform = `scaleX(${part})`;
    hull.classList.toggle("low", part < 0.35);
    text(hull.lastElementChild, ship.hp > 0 ? `${Math.ceil(ship.hp)} / ${ship.hull}` : "sunk");
    const mine = standing(state).find((row) => row.slot === mySlot);
    const key = (mine?.boons ?? []).join();
    if ($("boons").dataset.key !== key) {
      $("boons").dataset.key = key;
      $("boons").replaceChildren(...(mine?.boons ?? []).map((id) => {
        const chip = el("span", { className: "chip", title: id.replaceAll("_", " ") }, icon(id));
        return chip;
      }));
    }
  }

  board(rows, mySlot) {
    const shown = this.full ? rows : rows.filter((row, i) => i < 4 || row.slot === mySlot);
    const key = JSON.stringify([this.full, mySlot, shown.map((r) => [r.slot, r.name, r.score, r.sunk, r.lost])]);
    if (key === this.boardKey) return;
    this.boardKey = key;
    $("board").classList.toggle("full", this.full);
    $("rows").replaceChildren(...shown.map((row) => el("li", { className: row.slot === mySlot ? "me" : "" },
      el("em", { textContent: String(rows.indexOf(row) + 1) }), dot(row.slot), el("b", { textContent: row.name }),
      ...(this.full ? [el("small", { textContent: `${row.sunk} sunk, ${row.lost} lost` })] : []),
      el("span", { textContent: String(row.score) }))));
  }

  guns(ship) {
    const ready = ship ? 1 - Math.min(1, ship.reload ?? 0) : 0;
    $("guns").firstElementChild.style.transform = `scaleX(${ready})`;
    $("guns").classList.toggle("ready", ready > 0.98);
  }

  // Between the rounds ----------------------------------------------------------------------------

  countdown(state) {
    text($("cd-round"), `Round ${state.round} of ${state.rounds}`);
    text($("cd-number"), String(Math.max(1, Math.ceil(state.left - 0.05))));
    const key = `${state.round}${state.mod}`;
    const box = $("cd-mod");
    if (box.dataset.key !== key) {
      box.dataset.key = key;
      box.replaceChildren(...(state.mod ? [icon(state.mod), el("strong", { textContent: state.mod_name }), el("span", { textContent: state.mod_text ?? "" })] : []));
      text($("cd-hint"), state.round === 1 ? "Turn your side to the enemy: a broadside fires three guns, the bow only one" : "");
    }
  }

  /** @param {any} state @param {number} mySlot @param {(id: string) => void} pick */
  boon(state, mySlot, pick) {
    const pickers = list(state.pickers);
    const mine = pickers.find(([slot]) => slot === mySlot);
    const offers = list(state.boon_offers);
    const names = new Map(list(state.crew).map((row) => [row[0], row[1]]));
    const rank = pickers.findIndex(([slot]) => slot === mySlot);
    text($("boon-title"), mine ? "Choose your boon" : "To the victors, the spoils");
    text($("boon-sub"), mine
      ? `${["Best", "Second", "Third"][rank] ?? "Among the best"} of the round. It stays with your ship to the end.`
      : "The best captains of the round are choosing. Score higher in the next one.");
    const key = `boon${state.round}${offers.map((o) => o.id)}${mine ? mine[1] : "-"}`;
    if (this.cards !== key) {
      this.cards = key;
      $("boon-cards").replaceChildren(...offers.map((offer, i) => {
        const card = el("button", { className: "card", type: "button", disabled: !mine || mine[1] !== false, dataset: { id: offer.id } },
          icon(offer.id), el("strong", { textContent: offer.name }), el("span", { textContent: offer.text }),
          el("kbd", { textContent: String(i + 1) }));
        card.classList.toggle("chosen", mine?.[1] === offer.id);
        card.addEventListener("click", () => pick(offer.id));
        return card;
      }));
    }
    $("boon-pickers").replaceChildren(...pickers.map(([slot, chosen]) => el("span", { className: chosen ? "done" : "" },
      dot(slot), el("b", { textContent: names.get(slot) ?? "gone" }),
      chosen ? ` took ${offers.find((o) => o.id === chosen)?.name ?? chosen}` : " is choosing…")));
  }

  /** @param {any} state @param {any} vote @param {(id: string) => void} cast */
  vote(state, vote, cast) {
    const ballot = new Map(list(state.ballot).map((choice) => [choice.id, choice]));
    const options = vote?.options ?? list(state.ballot);
    const key = `vote${vote?.vote_id}${options.map((o) => o.id)}`;
    if (this.cards !== key) {
      this.cards = key;
      $("vote-cards").replaceChildren(...options.map((option, i) => {
        const card = el("button", { className: "card", type: "button", dataset: { id: option.id } },
          icon(option.id), el("strong", { textContent: option.label ?? option.id }),
          el("span", { textContent: ballot.get(option.id)?.text ?? "" }),
          el("div", { className: "tally" }, el("i"), el("b", { textContent: "0" })),
          el("kbd", { textContent: String(i + 1) }));
        card.addEventListener("click", () => cast(option.id));
        return card;
      }));
    }
    const tallies = vote?.tallies ?? {};
    const total = Math.max(1, vote?.total_votes ?? 0);
    for (const card of $("vote-cards").children) {
      const votes = tallies[card.dataset.id] ?? 0;
      card.classList.toggle("chosen", vote?.mine === card.dataset.id);
      card.disabled = !vote;
      card.querySelector(".tally i").style.transform = `scaleX(${votes / total})`;
      text(card.querySelector(".tally b"), String(votes));
    }
    text($("vote-count"), vote ? `${vote.total_votes} of ${list(state.crew).length} have voted.` : "The votes are counted.");
  }

  timer(id, part) {
    $(id).style.transform = `scaleX(${Math.max(0, Math.min(1, part))})`;
  }

  // The end ---------------------------------------------------------------------------------------

  results(result, me) {
    const rows = list(result?.standings);
    const place = rows.findIndex((row) => row.id === me);
    const winner = rows[0];
    text($("results-title"), place === 0 ? "Victory is yours" : winner ? `${winner.name} rules the bay` : "The bay is quiet");
    text($("results-sub"), place < 0 ? "" : place === 0 ? "They will sing of this in every harbour."
      : `You finished ${["first", "second", "third"][place] ?? `${place + 1}th`} of ${rows.length}.`);
    $("standings").replaceChildren(...rows.map((row, i) => el("tr", { className: row.id === me ? "me" : "" },
      el("td", { textContent: String(i + 1) }),
      el("td", {}, dot(row.slot), el("b", { textContent: row.name }), ...(row.bot ? [el("small", { textContent: "old salt" })] : []),
        ...list(row.boons).map((id) => icon(id))),
      el("td", { textContent: String(row.score) }), el("td", { textContent: String(row.sunk) }),
      el("td", { textContent: String(row.lost) }),
      el("td", { textContent: row.shots ? `${Math.round((100 * row.hits) / row.shots)}%` : "–" }))));
  }
}
