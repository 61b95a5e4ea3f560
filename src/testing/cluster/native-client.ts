// SPDX-License-Identifier: MIT
// A program with a session: the shipped client library on a platform of the simulation, with all
// servers as its addresses. Asks what the script says, resumes what the log's absence suspended,
// and says how each request ended.
import { connect } from "../../client/connect.ts";
import { MusterError } from "../../client/muster-error.ts";
import type { ClientPlatform, WebSocketLike } from "../../client/platform.ts";
import { QuorumDriver } from "../../client/quorum-barrier.ts";
import type { Settle } from "../../client/requester.ts";
import type { Session } from "../../client/session.ts";
import type { Random } from "../../core/random.ts";
import type { Clock } from "../../host/clock.ts";
import type { EdgeCommand } from "../../wire/link/frames.ts";
import type { Action } from "../../wire/link/roles.ts";
import { askChange } from "./changes.ts";
import type { Looked, Shown } from "./looks.ts";
import type { Party, PartyEvents } from "./party.ts";
import type { AskStep } from "./script.ts";
import type { Answer, Told } from "./told.ts";

/** How long a session is kept whose connection is lost, milliseconds. */
export const sessionLeaseMs = 20_000;
/** A request that was suspended is resumed after this. */
const resumeMs = 250;

export interface NativeClientOptions {
  readonly name: string;
  readonly urls: readonly string[];
  readonly scope: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly openSocket: (url: string) => WebSocketLike;
  readonly events: PartyEvents;
  /** A request has this connection of that edge. */
  readonly onRequest: (life: SessionLife, connection: number, party: Party) => void;
  readonly onMessage: (who: string, topic: string, number: number, message: string) => void;
  /** Who has looked is shown this. */
  readonly onLook: (party: Party, looked: Looked, shown: Shown) => void;
  readonly onLink: (up: boolean) => void;
  /** The session ended, not by its own wish. */
  readonly onEnd: (why: string) => void;
  /** Where controllers are a tree: the path of the one that a member of a roster comes to. */
  readonly homeOf?: ((member: string) => string) | undefined;
}

/** What the core calls the session. */
export interface SessionLife {
  readonly edge: string;
  readonly incarnation: number;
}

export class NativeClient {
  readonly #options: NativeClientOptions;
  readonly #parties = new Map<Party, AbortController>();
  readonly #life = { edge: "", incarnation: 0 };
  #session: Session | undefined;
  #asking: Party | undefined;
  /** The process is gone; what it is told reaches nobody. */
  #isDead = false;
  #hasEnded = false;

  constructor(options: NativeClientOptions) {
    this.#options = options;
  }

  /** Opens its session. */
  start(): void {
    const { urls, scope, onLink, onEnd } = this.#options;
    const platform = this.#createPlatform();
    connect(urls, {
      ...{ scope, platform, leaseMs: sessionLeaseMs, connectTimeoutMs: 600_000 },
      onLink: (up) => this.#isDead || onLink(up),
      onEnd: (error) => {
        this.#hasEnded = true;
        if (!this.#isDead) onEnd(error.message);
      },
    }).then(
      (session) => {
        this.#session = session;
        this.#watchRequests(session);
        onLink(true);
      },
      (error: unknown) => this.#isDead || onEnd(String(error)),
    );
  }

  /** What the core calls the edge of its session. */
  get edge(): string {
    return `session/open/${this.#life.edge}`;
  }

  /** Whether it has been let in. */
  get isReady(): boolean {
    return this.#session !== undefined && !this.#isDead;
  }

  /** @returns false when there is nobody to ask. */
  ask(party: Party, step: AskStep): boolean {
    const session = this.#session;
    if (session === undefined || this.#isDead) return false;
    const aborting = new AbortController();
    this.#parties.set(party, aborting);
    party.leave = () => {
      party.end ??= { kind: "left" };
      aborting.abort(new Error("it leaves"));
    };
    if (step.ask.what === "subscribe") {
      void this.#follow(session, party, step.barrier, aborting.signal);
      return true;
    }
    this.#asking = party;
    const asked = this.#perform(session, party, step, aborting.signal);
    this.#asking = undefined;
    asked.then(
      (answer) => this.#settle(party, answer),
      (error: unknown) => this.#onError(party, error),
    );
    return true;
  }

  /** Ends the session in order. */
  close(): void {
    for (const party of this.#parties.keys()) party.end ??= { kind: "left" };
    void this.#session?.close();
  }

  /** Ends everything in its scope. */
  cancelAll(): void {
    this.#session?.cancelAll(240).catch(() => undefined);
  }

  /** As kill -9 of the program. */
  kill(): void {
    this.#isDead = true;
    for (const party of this.#parties.keys()) party.end ??= { kind: "left" };
  }

  #settle(party: Party, answer: Answer): void {
    party.answers += 1;
    if (this.#isDead || party.end !== undefined) return;
    this.#parties.delete(party);
    this.#options.events.answered(party, answer);
  }

  #onError(party: Party, error: unknown): void {
    if (this.#isDead || party.end !== undefined) return;
    if (!(error instanceof MusterError)) {
      this.#options.events.closed(party, `threw ${String(error)}`);
      return;
    }
    const { resume } = error;
    if (error.code === "unavailable" && resume !== undefined) {
      this.#options.clock.after(resumeMs, () => {
        if (party.end !== undefined || this.#isDead) return;
        resume(this.#parties.get(party)?.signal).then(
          (value) => this.#settle(party, answerOf(value)),
          (again: unknown) => this.#onError(party, again),
        );
      });
      return;
    }
    this.#parties.delete(party);
    // The library tells those who wait before it tells that the session has ended.
    this.#options.clock.endOfTurn(() => {
      const isLost = error.code === "ended" || /connection is lost/.test(error.message);
      if (this.#hasEnded || isLost) this.#options.events.closed(party, error.message);
      else this.#settle(party, failureOf(error));
    });
  }

  async #perform(
    session: Session,
    party: Party,
    step: AskStep,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { ask, barrier, error, timeoutMs, together } = step;
    const timeout = timeoutMs === undefined ? {} : { timeoutMs };
    const isPlain = ask.what !== "publish-and-wait";
    const going = together === undefined || !isPlain ? {} : { together };
    const { name } = party;
    const arrival = { name, error, signal, ...timeout, ...going };
    const state = session.stateBarrier(barrier);
    switch (ask.what) {
      case "count-init": {
        const count = session.countBarrier(barrier);
        if (!ask.waits) return answerOf(await count.init(ask.count, { name, signal }));
        return answerOf(await count.initAndWait(ask.count, arrival));
      }
      case "count-wait":
        return answerOf(await session.countBarrier(barrier).wait(arrival));
      case "signal":
        return answerOf(await state.signal({ name, signal }));
      case "state-wait":
        return answerOf(await state.wait(ask.target, arrival));
      case "signal-and-wait":
        return answerOf(await state.signalAndWait(ask.target, arrival));
      case "publish":
        return answerOf(await session.topic(barrier).publish(name, { signal }));
      case "publish-and-wait": {
        const wait = { ...arrival, state: barrier, target: ask.target };
        return answerOf(await session.topic(barrier).publishAndWait(name, wait));
      }
      default:
        return this.#performRest(session, party, step, signal);
    }
  }

  async #performRest(
    session: Session,
    party: Party,
    { ask, barrier, error, timeoutMs }: AskStep,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { name } = party;
    const timeout = timeoutMs === undefined ? {} : { timeoutMs };
    switch (ask.what) {
      case "quorum-init": {
        const echo = ask.explicit ? "explicit" : "automatic";
        const driver = await session
          .quorumBarrier(barrier)
          .init({ percent: ask.percent }, { name, echo, signal });
        if (ask.explicit) void driver.letGo().catch(() => undefined);
        return answerOf(driver);
      }
      case "quorum-wait":
        return answerOf(
          await session.quorumBarrier(barrier).wait({ name, error, signal, ...timeout }),
        );
      case "peers":
        return answerOf(await session.peers.set(ask.count, { signal }));
      case "roster-open": {
        const { homeOf } = this.#options;
        const { phases, whenDead, whenLate } = ask;
        const members = ask.members.map((one) => {
          return homeOf === undefined ? one : { name: one, at: homeOf(one) };
        });
        const rules = { phases: phases === 0 ? ("endless" as const) : phases, whenDead, whenLate };
        return answerOf(await session.rosterBarrier(barrier).open({ members, ...rules, signal }));
      }
      case "roster-arrive": {
        const wait = { name: ask.member, error, signal, ...timeout };
        return answerOf(await session.rosterBarrier(barrier).arrive(wait));
      }
      case "roster-dead":
        await session.rosterBarrier(barrier).dead(ask.member, "drawn");
        return anything;
      case "count-change":
      case "quorum-change":
      case "roster-change": {
        const { homeOf } = this.#options;
        return answerOf(await askChange(session, barrier, ask, { signal, homeOf }));
      }
      case "fail":
        return answerOf(await handleOf(session, ask.kind, barrier).fail("drawn", { signal }));
      case "cancel":
        await handleOf(session, ask.kind, barrier).cancel(0, { signal });
        return anything;
      case "look": {
        const { barriers } = await session.describe();
        this.#options.onLook(party, { of: "page", max: Number.POSITIVE_INFINITY }, { barriers });
        return anything;
      }
      default: {
        const { barriers } = await session.describe(barrier);
        this.#options.onLook(party, { of: "name", name: barrier }, { barriers });
        return anything;
      }
    }
  }

  /** K8: whoever asks for a topic takes what comes. */
  async #follow(session: Session, party: Party, topic: string, signal: AbortSignal): Promise<void> {
    const { onMessage, events, scope } = this.#options;
    try {
      for await (const { number, message } of session.topic(topic).subscribe({ signal })) {
        if (this.#isDead || party.end !== undefined) return;
        onMessage(party.name, `${scope} ${topic}`, number, String(message));
      }
    } catch (error) {
      if (!this.#isDead && party.end === undefined) events.closed(party, String(error));
    }
  }

  /** A request's connection is told to the run, which could not know it. */
  #watchRequests(session: Session): void {
    const request = session.request.bind(session);
    session.request = (
      action: Action,
      build: (connection: number) => EdgeCommand,
      settle: Settle,
    ) => {
      const party = this.#asking;
      return request(
        action,
        (connection) => {
          if (party !== undefined) this.#options.onRequest(this.#life, connection, party);
          return build(connection);
        },
        settle,
      );
    };
  }

  #createPlatform(): ClientPlatform {
    const { clock, random, openSocket } = this.#options;
    return {
      nowUs: () => clock.nowUs(),
      wallMs: () => clock.wallMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      // Virtual time does not pass while a program runs.
      spinUntil: () => undefined,
      soon: (callback) => clock.endOfTurn(callback),
      openSocket: (url) => openSocket(url),
      randomBytes: (count) => {
        const bytes = Uint8Array.from({ length: count }, () => random.below(256));
        if (count === 16) this.#life.edge = Buffer.from(bytes).toString("hex");
        if (count === 6) this.#life.incarnation = Buffer.from(bytes).readUIntBE(0, 6) + 1;
        return bytes;
      },
    };
  }
}

const anything: Answer = { text: "done", fits: () => true, isUntold: true };

function handleOf(session: Session, kind: "count" | "state" | "quorum" | "roster", name: string) {
  if (kind === "count") return session.countBarrier(name);
  if (kind === "state") return session.stateBarrier(name);
  return kind === "quorum" ? session.quorumBarrier(name) : session.rosterBarrier(name);
}

/** What a promise resolved with, as one of the things that the log says. */
function answerOf(value: unknown): Answer {
  if (typeof value === "number") {
    const isIt = ({ what, number }: Told): boolean =>
      (what === "signalled" || what === "published") && number === value;
    return { text: `number ${value}`, fits: isIt };
  }
  if (value instanceof QuorumDriver) {
    return { text: "made", fits: ({ what }) => what === "status" };
  }
  if (typeof value === "object" && value !== null && "generation" in value && "error" in value) {
    const { generation, error } = value;
    return {
      text: `crossed, generation ${generation}, error ${error}`,
      fits: (told) =>
        told.what === "released" &&
        told.word === "crossed" &&
        told.number === error &&
        told.generation === generation,
    };
  }
  // To cancel what is not open is as good as done.
  const fits = ({ what, word }: Told): boolean =>
    what === "acknowledged" || what === "released" || word === "unknown";
  return { text: "counted", fits };
}

function failureOf({ code, missing }: MusterError): Answer {
  // Of a failure the client is told by lists who was missing.
  const who = code === "timeout" ? missing.join("; ") : "";
  return {
    text: `${code}${who === "" ? "" : `, missing ${who}`}`,
    fits: (told) =>
      told.word === code &&
      (told.what === "refused" || told.what === "status" || told.missing === who),
  };
}
