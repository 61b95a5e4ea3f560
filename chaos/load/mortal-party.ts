// SPDX-License-Identifier: MIT
// One party of a lane whose processes are killed. What it asks for ends, in whatever way: counts
// and states have a patience of their own, and a roster fails for all when a member has died. Who
// hears that leaves, and the lane meets again in a new scope, its next epoch, when all know of it.
import type { Session } from "../../src/client/index.ts";
import { type Answer, type Asked, mortalScopes } from "../history.ts";
import { hashOf } from "../random.ts";
import { pause } from "../wait.ts";
import { askToEnd, codeOf, type Resumable } from "./ask.ts";
import type { PartyOptions } from "./native-party.ts";

/** As short as nobody else's, because it has to end: a session that is lost by it is no fault. */
const leaseMs = 8_000;
/** Until it has met a server, whatever fault there is. */
const connectTimeoutMs = 180_000;
/** Of waits that nobody's death ends. */
const timeoutMs = 15_000;
/** Until a session that could not be had is tried again. */
const retryMs = 200;
const roster = "phases";

export class MortalParty {
  /** The latest epoch that is over for it. */
  over = 0;
  readonly #options: PartyOptions;
  readonly #name: string;
  /** The latest epoch that it has been told of. */
  #told: number;
  #isEnd = false;
  #epoch: Epoch | undefined;
  #wake: () => void = () => undefined;

  /** @param epoch where its lane meets, from 1 */
  constructor(options: PartyOptions, epoch: number) {
    this.#options = options;
    this.#name = `m${options.party}`;
    this.#told = epoch;
  }

  tell(epoch: number): void {
    if (epoch <= this.#told) return;
    this.#told = epoch;
    this.#epoch?.giveUpBeginning();
    this.#wake();
  }

  /**
   * It leaves behind what it is in, of which the others hear as of a death; and behind the
   * beginning of an epoch that it has been told of, because somebody may wait for it there.
   */
  end(): void {
    this.#isEnd = true;
    this.#wake();
  }

  async run(): Promise<void> {
    while (!this.#isEnd || this.#told > this.over) {
      if (this.#told > this.over) {
        const epoch = this.#told;
        this.#epoch = new Epoch(this.#options, this.#name, epoch);
        await this.#epoch.play(() => this.#isEnd);
        this.over = epoch;
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** One session, from the first meeting to the first wait that does not cross. */
class Epoch {
  readonly #options: PartyOptions;
  readonly #name: string;
  readonly #scope: string;
  readonly #epoch: number;
  readonly #beginning = new AbortController();
  #phases = 0;
  #isLost = false;

  constructor(options: PartyOptions, name: string, epoch: number) {
    this.#options = options;
    this.#name = name;
    this.#epoch = epoch;
    this.#scope = `${mortalScopes}${options.lane}-${epoch}`;
  }

  /** The others meet elsewhere. */
  giveUpBeginning(): void {
    this.#beginning.abort(Object.assign(new Error("there is a later epoch"), { code: "aborted" }));
  }

  async play(isEnd: () => boolean): Promise<void> {
    const session = await this.#connect();
    try {
      await this.#begin(session);
      for (let round = 1; !isEnd(); round += 1) await this.#play(session, round);
    } catch {
      // Written down: the checker knows which ends may be.
    }
    const { history } = this.#options;
    history.left(this.#name, this.#scope, this.#isLost ? "ended" : "leaves");
    await session.close();
  }

  /** A lease may be over before anything was asked. */
  async #connect(): Promise<Session> {
    const { connect, urls } = this.#options;
    const onEnd = (): void => {
      this.#isLost = true;
    };
    const options = { scope: this.#scope, name: this.#name, leaseMs, connectTimeoutMs, onEnd };
    for (;;) {
      try {
        return await connect(urls, options);
      } catch (error) {
        if (codeOf(error) !== "ended" && codeOf(error) !== "unavailable") throw error;
        await pause(retryMs);
      }
    }
  }

  /**
   * Waits for all who come from an epoch before, or from nowhere. Whoever has not come to the
   * roster once is not known to be dead when it dies.
   */
  async #begin(session: Session): Promise<void> {
    const { party, parties } = this.#options;
    if (party === 0) {
      const members = Array.from({ length: parties }, (_, index) => `m${index}`);
      const handle = session.rosterBarrier(roster);
      const rules = { members, phases: "endless", whenDead: "fail" } as const;
      const asked: Asked = { kind: "roster-open", members: parties };
      await this.#ask(roster, asked, handle, () => handle.open(rules));
    }
    if (party === 0) await this.#init(session, "begin");
    const [handle, { signal }] = [session.countBarrier("begin"), this.#beginning];
    const begins: Asked = { kind: "count-wait", error: 0 };
    await this.#ask("begin", begins, handle, () => handle.wait({ signal }), signal);
    await this.#arrive(session, timeoutMs);
  }

  async #play(session: Session, round: number): Promise<void> {
    const { seed, lane, party, parties, roundMs } = this.#options;
    const kind = hashOf(seed, lane, this.#epoch, round) % 3;
    if (kind === 0) await this.#count(session, `count-${round}`, party === round % parties);
    else if (kind === 1) await this.#meet(session, `state-${round}`);
    else await this.#arrive(session);
    await pause(hashOf(seed, lane, round, party) % (2 * roundMs));
  }

  async #count(session: Session, name: string, opens: boolean): Promise<void> {
    const handle = session.countBarrier(name);
    if (opens) await this.#init(session, name);
    const asked: Asked = { kind: "count-wait", error: 0, timeoutMs };
    await this.#ask(name, asked, handle, () => handle.wait({ timeoutMs }));
  }

  async #init(session: Session, name: string): Promise<void> {
    const { parties: count } = this.#options;
    const handle = session.countBarrier(name);
    const asked: Asked = { kind: "count-init", count, error: 0 };
    await this.#ask(name, asked, handle, () => handle.init(count));
  }

  async #meet(session: Session, name: string): Promise<void> {
    const { parties: target } = this.#options;
    const handle = session.stateBarrier(name);
    const asked: Asked = { kind: "signal-wait", target, timeoutMs };
    await this.#ask(name, asked, handle, () => handle.signalAndWait(target, { timeoutMs }));
  }

  /** Without patience a death has to end it. */
  async #arrive(session: Session, patienceMs?: number): Promise<void> {
    this.#phases += 1;
    const [handle, phase] = [session.rosterBarrier(roster), this.#phases];
    const patience = patienceMs === undefined ? {} : { timeoutMs: patienceMs };
    const asked: Asked = { kind: "roster-arrive", phase, ...patience };
    await this.#ask(roster, asked, handle, () => handle.arrive({ phase, ...patience }));
  }

  /** @throws what ended it otherwise than well */
  async #ask(
    name: string,
    asked: Asked,
    handle: Resumable,
    call: () => Promise<unknown>,
    signal?: AbortSignal,
  ): Promise<void> {
    const { history } = this.#options;
    const place = { history, party: this.#name, scope: this.#scope, name };
    const abort = signal === undefined ? {} : { signal };
    await askToEnd({ ...place, asked, handle, call, answerOf, ...abort });
  }
}

function answerOf(result: unknown): Answer {
  const { generation, error, value, phase } = (result ?? {}) as Answer;
  return Object.fromEntries(
    Object.entries({ generation, error, value, phase }).filter(([, told]) => told !== undefined),
  );
}
