// SPDX-License-Identifier: MIT
// One party of a lane: a session of its own, which begins at its own server and may go on at the
// others. Goes from meeting to meeting (rounds.ts) and writes down what it asks and what it hears.
import type {
  Crossing,
  Leadership,
  MusterError,
  PhaseCrossing,
  PublishedCrossing,
  Session,
  SignalledCrossing,
} from "../../src/client/index.ts";
import type { Answer, Asked } from "../history.ts";
import { nowUs, pause } from "../wait.ts";
import { askToEnd, codeOf, type Resumable } from "./ask.ts";
import type { LanePlace } from "./lane-place.ts";
import { errorOf, type RoundKind, roundKind } from "./rounds.ts";

/** Longer than any fault: a session that is lost within it has been lost for nothing. */
export const leaseMs = 180_000;
/** A lane that was held up goes faster until it has caught up with so many of its rounds. */
const behindRoundsMax = 20;
/** Until something that could not be stored is tried again. */
const retryMs = 200;
/** The topic of a lane. */
const topic = "news";
/** Messages that a second reader of a topic reads again. */
const replayMessages = 16;

export interface PartyOptions extends LanePlace {
  readonly connect: (
    urls: readonly string[],
    options: { scope: string; name: string; leaseMs: number; connectTimeoutMs: number } & {
      onEnd: (error: MusterError) => void;
    },
  ) => Promise<Session>;
  readonly roundMs: number;
}

export class NativeParty {
  /** The round it is in. */
  round = 0;
  /** The last that it plays. */
  lastRound: number = Number.POSITIVE_INFINITY;
  readonly #options: PartyOptions;
  readonly #name: string;
  readonly #scope: string;
  /** Its session has ended. */
  #isOver = false;
  #phases = 0;
  #published = 0;

  constructor(options: PartyOptions) {
    this.#options = options;
    this.#name = `p${options.party}`;
    this.#scope = `chaos/lane-${options.lane}`;
  }

  /** To the end; a session that is lost is one, too, and a violation that the checker finds. */
  async run(): Promise<void> {
    const { history } = this.#options;
    try {
      await this.#run();
    } catch (error) {
      history.session(`${this.#scope} ${this.#name}`, `lost (${codeOf(error)})`);
    }
  }

  async #run(): Promise<void> {
    const { connect, urls, history, lane, party, seed, roundMs } = this.#options;
    const who = `${this.#scope} ${this.#name}`;
    const session = await connect(urls, {
      ...{ scope: this.#scope, name: this.#name, leaseMs, connectTimeoutMs: leaseMs },
      onEnd: (error) => {
        this.#isOver = true;
        history.session(who, error.code);
      },
    });
    history.session(who, "open");
    const live = session.topic<string>(topic).subscribe();
    const reading = this.#readOn(live);
    await this.#begin(session);
    let dueUs = nowUs();
    for (this.round = 1; this.round <= this.lastRound; this.round += 1) {
      const kind = roundKind(seed, lane, this.round);
      const start = `${kind}-${this.round}`;
      await this.#play(session, kind, start);
      if (party === this.round % this.#options.parties && kind === "publish") {
        await this.#replay(session, Math.max(0, this.#published - replayMessages));
      }
      dueUs = Math.max(dueUs + roundMs * 1000, nowUs() - behindRoundsMax * roundMs * 1000);
      if (dueUs > nowUs()) await pause((dueUs - nowUs()) / 1000);
    }
    await this.#meet(session, "end");
    await this.#replay(session, 0);
    await live.close();
    await reading;
    await session.close();
    history.session(who, "closed");
  }

  /** What is there for the whole run. */
  async #begin(session: Session): Promise<void> {
    const { party, parties } = this.#options;
    if (party === 0) {
      const { peers } = session;
      await this.#ask("peers", { kind: "peers" }, session.stateBarrier("begin"), () =>
        peers.set(parties),
      );
      await this.#openRoster(session, "phases", "endless");
    }
    await this.#meet(session, "begin");
  }

  async #play(session: Session, kind: RoundKind, name: string): Promise<void> {
    switch (kind) {
      case "count":
        return this.#count(session, name);
      case "count-init-wait":
        return this.#countInitWait(session, name);
      case "state":
        return this.#meet(session, name);
      case "publish":
        return this.#publish(session, name);
      case "quorum":
        return this.#quorum(session, name);
      case "roster":
        return this.#roster(session, name);
      case "phase":
        this.#phases += 1;
        return this.#arrive(session, "phases", this.#phases);
      case "counter":
        await this.#signal(session, "tickets");
        return;
      case "election":
        return this.#lead(session);
    }
  }

  async #count(session: Session, name: string): Promise<void> {
    const barrier = session.countBarrier(name);
    const { party, parties } = this.#options;
    const error = this.#error();
    if (party === this.round % parties) {
      const asked: Asked = { kind: "count-init", count: parties, error: 0 };
      await this.#ask(name, asked, barrier, () => barrier.init(parties));
    }
    const asked: Asked = { kind: "count-wait", error };
    await this.#ask(name, asked, barrier, () => barrier.wait({ error }), crossing);
  }

  async #countInitWait(session: Session, name: string): Promise<void> {
    const barrier = session.countBarrier(name);
    const { party, parties } = this.#options;
    const error = this.#error();
    if (party !== this.round % parties) {
      const asked: Asked = { kind: "count-wait", error };
      await this.#ask(name, asked, barrier, () => barrier.wait({ error }), crossing);
      return;
    }
    const count = parties - 1;
    const asked: Asked = { kind: "count-init-wait", count, error };
    await this.#ask(name, asked, barrier, () => barrier.initAndWait(count, { error }), crossing);
  }

  async #meet(session: Session, name: string): Promise<void> {
    const state = session.stateBarrier(name);
    const { parties: target } = this.#options;
    const asked: Asked = { kind: "signal-wait", target };
    await this.#ask(name, asked, state, () => state.signalAndWait(target), signalled);
  }

  async #publish(session: Session, name: string): Promise<void> {
    const news = session.topic<string>(topic);
    const { parties: target } = this.#options;
    const text = `${this.#name} ${name}`;
    const asked: Asked = { kind: "publish-wait", topic, text, target };
    const wait = { state: name, target, signals: true };
    const call = () => news.publishAndWait(text, wait);
    let end: PublishedCrossing | undefined;
    // One whose message could not be stored is refused, and has to publish it again.
    while (end === undefined) {
      end = await this.#ask(name, asked, news, call, published);
      if (end === undefined) await pause(retryMs);
    }
    this.#published = end.number;
  }

  async #quorum(session: Session, name: string): Promise<void> {
    const quorum = session.quorumBarrier(name);
    const { party, parties } = this.#options;
    const needed = parties - 1;
    const ready = session.stateBarrier(`${name}-ready`);
    if (party === this.round % parties) {
      const asked: Asked = { kind: "quorum-init", needed };
      await this.#ask(name, asked, quorum, () => quorum.init({ count: needed }), driver);
      await this.#signal(session, ready.name);
    } else {
      const asked: Asked = { kind: "state-wait", target: 1 };
      await this.#ask(ready.name, asked, ready, () => ready.wait(1), crossing);
    }
    await this.#ask(name, { kind: "quorum-wait" }, quorum, () => quorum.wait(), crossing);
  }

  async #roster(session: Session, name: string): Promise<void> {
    const { party, parties } = this.#options;
    const ready = session.stateBarrier(`${name}-ready`);
    if (party === this.round % parties) {
      await this.#openRoster(session, name, 2);
      await this.#signal(session, ready.name);
    } else {
      const asked: Asked = { kind: "state-wait", target: 1 };
      await this.#ask(ready.name, asked, ready, () => ready.wait(1), crossing);
    }
    await this.#arrive(session, name, 1);
    await this.#arrive(session, name, 2);
  }

  async #openRoster(session: Session, name: string, phases: number | "endless"): Promise<void> {
    const { parties } = this.#options;
    const roster = session.rosterBarrier(name);
    const members = Array.from({ length: parties }, (_, party) => `p${party}`);
    const asked: Asked = { kind: "roster-open", members: parties };
    const rules = { members, phases, whenDead: "wait", whenLate: "pass" } as const;
    await this.#ask(name, asked, roster, () => roster.open(rules));
  }

  async #arrive(session: Session, name: string, phase: number): Promise<void> {
    const roster = session.rosterBarrier(name);
    const asked: Asked = { kind: "roster-arrive", phase };
    await this.#ask(name, asked, roster, () => roster.arrive({ phase }), phaseCrossed);
  }

  async #signal(session: Session, name: string): Promise<void> {
    const state = session.stateBarrier(name);
    const call = () => state.signal();
    await this.#ask(name, { kind: "signal" }, state, call, (value) => ({ value }));
  }

  async #lead(session: Session): Promise<void> {
    const election = session.election("leader");
    const quorum = session.quorumBarrier("leader");
    const won = await this.#ask<Leadership>(
      "leader",
      { kind: "campaign" },
      quorum,
      () => election.campaign(),
      ({ term }) => ({ term }),
    );
    if (won === undefined) return;
    await this.#ask("leader", { kind: "resign" }, quorum, () => won.resign());
  }

  /** A reader of its own, from behind a message to what is there now. */
  async #replay(session: Session, after: number): Promise<void> {
    const { history } = this.#options;
    const last = this.#published;
    if (last <= after) return;
    const reader = history.read(this.#scope, topic, after);
    const messages = session.topic<string>(topic).subscribe({ after });
    await this.#take(messages, reader, last);
    await messages.close();
  }

  async #readOn(messages: AsyncIterable<{ number: number; message: string }>): Promise<void> {
    const reader = this.#options.history.read(this.#scope, topic, 0);
    await this.#take(messages, reader, Number.POSITIVE_INFINITY);
  }

  async #take(
    messages: AsyncIterable<{ number: number; message: string }>,
    reader: number,
    last: number,
  ): Promise<void> {
    const { history } = this.#options;
    try {
      for await (const { number, message } of messages) {
        history.message(reader, number, message);
        if (number >= last) break;
      }
      history.stopped(reader, "ok");
    } catch (error) {
      history.stopped(reader, codeOf(error));
    }
  }

  #error(): number {
    const { seed, lane, party } = this.#options;
    return errorOf(seed, lane, this.round, party);
  }

  /** One operation, to its end. */
  async #ask<Result>(
    name: string,
    asked: Asked,
    handle: Resumable,
    call: () => Promise<Result>,
    answerOf: (result: Result) => Answer = () => ({}),
  ): Promise<Result | undefined> {
    const { history } = this.#options;
    const place = { history, party: this.#name, scope: this.#scope, name };
    try {
      return await askToEnd({ ...place, asked, handle, call, answerOf });
    } catch (error) {
      // There is nothing more to ask of a session that is over.
      if (this.#isOver || codeOf(error) === "ended") throw error;
      return undefined;
    }
  }
}

const crossing = ({ generation, error }: Crossing): Answer => ({ generation, error });
const signalled = ({ generation, value }: SignalledCrossing): Answer => ({ generation, value });
const phaseCrossed = ({ generation, phase }: PhaseCrossing): Answer => ({ generation, phase });
const driver = ({ generation }: { readonly generation: number }): Answer => ({ generation });
const published = ({ generation, value, number }: PublishedCrossing): Answer => ({
  ...{ generation, value, number },
});
