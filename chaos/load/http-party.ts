// SPDX-License-Identifier: MIT
// One party of a lane of the HTTP door: requests whose waits and signals carry an id, and are asked
// again with it at the next server when one does not answer. Each request begins at the party's own
// server. Parties come to a meeting seconds apart, so that servers die while somebody waits there
// for one who has not come: who were counted twice would then be let go early.
import type { Answer, Asked } from "../history.ts";
import { hashOf } from "../random.ts";
import { pause } from "../wait.ts";
import { askDoor, type Reply } from "./http-door.ts";
import type { LanePlace } from "./lane-place.ts";
import { errorOf, type HttpRoundKind, httpRoundKind } from "./rounds.ts";

/** The latest comes so much later than the first, while faults are injected. */
const spreadMs = 3_000;
/** Until the next server is asked; twice as long each time, up to the largest. */
const [backOffMs, backOffMsMax] = [50, 1_000];
/** Crossings of one name: what is counted twice at one counts at the next. */
const crossingsPerName = 3;
/** `ended` and `unavailable`: ask again. */
const againStatuses: readonly (number | undefined)[] = [undefined, 410, 503];
/** So long a reader waits for a message; shorter than the patience of a request. */
const pollMs = 1_500;
const topic = "news";
/** Of a roster that goes on for the whole run. */
const endless = 0;

export class HttpParty {
  /** The round it is in. */
  round = 0;
  /** The last that it plays. */
  lastRound: number = Number.POSITIVE_INFINITY;
  readonly #options: LanePlace;
  readonly #name: string;
  readonly #scope: string;
  readonly #reader: number;
  #phases = 0;
  /** The last message that it has read. */
  #read = 0;
  /** The last of which its publisher was told the number. */
  #published = 0;

  constructor(options: LanePlace) {
    this.#options = options;
    this.#name = `h${options.party}`;
    this.#scope = `chaos/http-${options.lane}`;
    this.#reader = options.history.read(this.#scope, topic, 0);
  }

  async run(): Promise<void> {
    const { seed, lane, party, history } = this.#options;
    if (party === 0) await this.#openRoster("phases", endless);
    await this.#meet("begin");
    for (this.round = 1; this.round <= this.lastRound; this.round += 1) {
      await this.#play(httpRoundKind(seed, lane, this.round));
    }
    await this.#meet("end");
    await this.#readOn();
    history.stopped(this.#reader, "ok");
  }

  async #play(kind: HttpRoundKind): Promise<void> {
    const name = `${kind}-${this.round}`;
    switch (kind) {
      case "count":
        return this.#count(name);
      case "counts":
        for (let crossing = 1; crossing <= crossingsPerName; crossing += 1) {
          await this.#count(name, crossing);
        }
        return;
      case "count-init-wait":
        return this.#countInitWait(name);
      case "state":
        return this.#meet(name);
      case "quorum":
        return this.#quorum(name);
      case "counter":
        await this.#late(0);
        return this.#ask("tickets", { kind: "signal" }, "/v1/states/tickets/signal", {});
      case "publish":
        await this.#publish(`${this.#name} ${name}`);
        return this.#readUntil(this.#meet(name));
      case "publish-wait":
        return this.#readUntil(this.#publishAndWait(name));
      case "roster":
        return this.#roster(name);
      case "phase":
        this.#phases += 1;
        return this.#arrive("phases", this.#phases);
    }
  }

  async #count(name: string, crossing?: number): Promise<void> {
    const { party, parties: count } = this.#options;
    const numbered = crossing === undefined ? {} : { crossing };
    if (party === this.round % count) {
      const asked: Asked = { kind: "count-init", count, error: 0, ...numbered };
      await this.#ask(name, asked, `/v1/barriers/${name}/init`, { count });
    }
    await this.#late(crossing ?? 0);
    const error = this.#error();
    const asked: Asked = { kind: "count-wait", error, ...numbered };
    await this.#ask(name, asked, `/v1/barriers/${name}/wait`, { error });
  }

  async #countInitWait(name: string): Promise<void> {
    const { party, parties } = this.#options;
    const error = this.#error();
    const count = parties - 1;
    await this.#late(0);
    if (party === this.round % parties) {
      const asked: Asked = { kind: "count-init-wait", count, error };
      const body = { count, waits: true, error };
      await this.#ask(name, asked, `/v1/barriers/${name}/init`, body);
      return;
    }
    const asked: Asked = { kind: "count-wait", error };
    await this.#ask(name, asked, `/v1/barriers/${name}/wait`, { error });
  }

  async #meet(name: string): Promise<void> {
    const { parties: target } = this.#options;
    await this.#late(0);
    const body = { target, signal: true };
    await this.#ask(name, { kind: "signal-wait", target }, `/v1/states/${name}/wait`, body);
  }

  async #quorum(name: string): Promise<void> {
    const needed = this.#options.parties - 1;
    await this.#open(name, async () => {
      const asked: Asked = { kind: "quorum-init", needed };
      await this.#ask(name, asked, `/v1/quorums/${name}/init`, { count: needed });
    });
    await this.#late(0);
    await this.#ask(name, { kind: "quorum-wait" }, `/v1/quorums/${name}/wait`, {});
  }

  async #roster(name: string): Promise<void> {
    await this.#open(name, () => this.#openRoster(name, 2));
    await this.#arrive(name, 1);
    await this.#arrive(name, 2);
  }

  /** One of them opens it, and the others wait until it is open. */
  async #open(name: string, open: () => Promise<void>): Promise<void> {
    const { party, parties } = this.#options;
    const ready = `${name}-ready`;
    if (party === this.round % parties) {
      await open();
      await this.#ask(ready, { kind: "signal" }, `/v1/states/${ready}/signal`, {});
      return;
    }
    const target = 1;
    const path = `/v1/states/${ready}/wait`;
    await this.#ask(ready, { kind: "state-wait", target }, path, { target });
  }

  async #openRoster(name: string, phases: number): Promise<void> {
    const { parties } = this.#options;
    const members = Array.from({ length: parties }, (_, party) => `h${party}`);
    const rules = { members, phases, whenDead: "wait", whenLate: "pass" };
    const asked: Asked = { kind: "roster-open", members: parties };
    await this.#ask(name, asked, `/v1/rosters/${name}/open`, rules);
  }

  async #arrive(name: string, phase: number): Promise<void> {
    await this.#late(phase);
    const asked: Asked = { kind: "roster-arrive", phase };
    await this.#ask(name, asked, `/v1/rosters/${name}/arrive`, { phase });
  }

  /** One that was not answered is not made again. */
  async #publish(text: string): Promise<void> {
    await this.#askOnce(topic, { kind: "publish", text }, `/v1/topics/${topic}`, { message: text });
  }

  /**
   * Who was not answered may have signalled or not, and meets the others by a signal with an id.
   */
  async #publishAndWait(name: string): Promise<void> {
    const { parties: target } = this.#options;
    await this.#late(0);
    const text = `${this.#name} ${name}`;
    const asked: Asked = { kind: "publish-wait", topic, text, target };
    const body = { message: text, state: name, target, signal: true, name: this.#name };
    const path = `/v1/topics/${topic}/publish-and-wait`;
    if (!(await this.#askOnce(name, asked, path, body))) await this.#meet(name);
  }

  /** Publications have no id: one that was not answered may be there or not. */
  async #askOnce(name: string, asked: Asked, path: string, body: object): Promise<boolean> {
    const { history, urls } = this.#options;
    const id = history.ask(this.#name, this.#scope, name, asked);
    const reply = await askDoor(urls[0] ?? "", { method: "POST", path: this.#path(path), body });
    if (againStatuses.includes(reply.status)) {
      history.end(id, "unanswered");
      return false;
    }
    const number = reply.body["number"];
    if (typeof number === "number") this.#published = number;
    history.end(id, codeOf(reply), answerOf(reply));
    return true;
  }

  async #readUntil(meeting: Promise<void>): Promise<void> {
    let isOver = false;
    const end = meeting.then(() => {
      isOver = true;
    });
    await Promise.all([end, this.#readOn(() => isOver)]);
  }

  /** As messages come until it is over; then what is there, and at least its own. */
  async #readOn(isOver = (): boolean => true): Promise<void> {
    const { history } = this.#options;
    for (;;) {
      const isLast = isOver();
      const body = await this.#page(isLast ? 0 : pollMs);
      const messages = (body["messages"] ?? []) as { number: number; message: string }[];
      for (const { number, message } of messages) {
        history.message(this.#reader, number, message);
        this.#read = number;
      }
      if (isLast && messages.length === 0 && this.#read >= this.#published) return;
    }
  }

  async #page(timeoutMs: number): Promise<Readonly<Record<string, unknown>>> {
    const { urls } = this.#options;
    const after = `&after=${this.#read}&timeoutMs=${timeoutMs}`;
    const path = `${this.#path(`/v1/topics/${topic}`)}${after}`;
    for (let tries = 0; ; tries += 1) {
      const url = urls[tries % urls.length] ?? "";
      const { status, body } = await askDoor(url, { method: "GET", path });
      if (status === 200) return body;
      await pause(backOffOf(tries));
    }
  }

  /** One operation, to its end: asked again with its id until a server says how it ended. */
  async #ask(name: string, asked: Asked, path: string, rest: object): Promise<void> {
    const { history, urls } = this.#options;
    const id = history.ask(this.#name, this.#scope, name, asked);
    const body = { ...rest, id: `${this.#name}-${id}`, name: this.#name };
    for (let tries = 0; ; tries += 1) {
      const url = urls[tries % urls.length] ?? "";
      const reply = await askDoor(url, { method: "POST", path: this.#path(path), body });
      // Other servers know no id of it, and say that it is open already.
      const isMade = /is open already/.test(String(reply.body["message"]));
      const opens = asked.kind === "quorum-init" || asked.kind === "roster-open";
      const isOpen = opens && tries > 0 && isMade;
      if (!againStatuses.includes(reply.status)) {
        history.end(id, isOpen ? "ok" : codeOf(reply), answerOf(reply));
        return;
      }
      await pause(backOffOf(tries));
      history.again(id, reply.isReached);
    }
  }

  #path(path: string): string {
    return `${path}?scope=${encodeURIComponent(this.#scope)}`;
  }

  /** Until it comes, by chance. */
  async #late(step: number): Promise<void> {
    if (this.lastRound !== Number.POSITIVE_INFINITY) return;
    const { seed, lane, party } = this.#options;
    await pause(hashOf(seed, lane, this.round, party, step) % spreadMs);
  }

  #error(): number {
    const { seed, lane, party } = this.#options;
    return errorOf(seed, lane, this.round, party);
  }
}

const backOffOf = (tries: number): number => Math.min(backOffMs * 2 ** tries, backOffMsMax);

function codeOf({ status, body }: Reply): string {
  return status === 200 ? "ok" : String(body["code"] ?? status);
}

function answerOf({ body }: Reply): Answer {
  const { generation, error, value, number, phase, message } = body as Answer;
  return Object.fromEntries(
    Object.entries({ generation, error, value, number, phase, message }).filter(
      ([, told]) => told !== undefined,
    ),
  );
}
