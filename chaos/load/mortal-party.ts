// SPDX-License-Identifier: MIT
// One party of a lane whose processes are killed. What it asks for ends, in whatever way: counts
// and states have a patience of their own, and a roster fails for all when a member has died. Who
// hears that leaves, and the lane meets again in a new scope, its next epoch, when all know of it.
import type { Session } from "../../src/client/index.ts";
import { type Answer, type Asked, mortalScopes } from "../history.ts";
import { hashOf } from "../random.ts";
import { pause } from "../wait.ts";
import { askToEnd, type Resumable } from "./ask.ts";
import type { PartyOptions } from "./native-party.ts";

/** As short as nobody else's, because it has to end: a session that is lost by it is no fault. */
const leaseMs = 8_000;
/** Until it has met a server, whatever fault there is. */
const connectTimeoutMs = 180_000;
/** Of waits that nobody's death ends; longer at the beginning, where others come from elsewhere. */
const [timeoutMs, beginMs] = [15_000, 35_000];
const roster = "phases";

export class MortalParty {
  /** The latest epoch that is over for it. */
  over = 0;
  readonly #options: PartyOptions;
  readonly #name: string;
  /** The latest epoch that it has been told of. */
  #told: number;
  #isEnd = false;
  #wake: () => void = () => undefined;

  /** @param epoch where its lane meets, from 1 */
  constructor(options: PartyOptions, epoch: number) {
    this.#options = options;
    this.#name = `m${options.party}`;
    this.#told = epoch;
  }

  tell(epoch: number): void {
    this.#told = Math.max(this.#told, epoch);
    this.#wake();
  }

  /** It leaves behind what it is in: the others hear of it as of a death. */
  end(): void {
    this.#isEnd = true;
    this.#wake();
  }

  async run(): Promise<void> {
    while (!this.#isEnd) {
      if (this.#told > this.over) {
        const epoch = this.#told;
        await new Epoch(this.#options, this.#name, epoch).play(() => this.#isEnd);
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
  #phases = 0;
  #isLost = false;

  constructor(options: PartyOptions, name: string, epoch: number) {
    this.#options = options;
    this.#name = name;
    this.#epoch = epoch;
    this.#scope = `${mortalScopes}${options.lane}-${epoch}`;
  }

  async play(isEnd: () => boolean): Promise<void> {
    const { connect, urls, history } = this.#options;
    const session = await connect(urls, {
      ...{ scope: this.#scope, name: this.#name, leaseMs, connectTimeoutMs },
      onEnd: () => {
        this.#isLost = true;
      },
    });
    try {
      await this.#begin(session);
      for (let round = 1; !isEnd(); round += 1) await this.#play(session, round);
    } catch {
      // Written down: the checker knows which ends may be.
    }
    history.left(this.#name, this.#scope, this.#isLost ? "ended" : "leaves");
    await session.close();
  }

  /** Whoever has not come to the roster once is not known to be dead when it dies. */
  async #begin(session: Session): Promise<void> {
    const { party, parties } = this.#options;
    if (party === 0) {
      const members = Array.from({ length: parties }, (_, index) => `m${index}`);
      const handle = session.rosterBarrier(roster);
      const rules = { members, phases: "endless", whenDead: "fail" } as const;
      const asked: Asked = { kind: "roster-open", members: parties };
      await this.#ask(roster, asked, handle, () => handle.open(rules));
    }
    await this.#meet(session, "begin", beginMs);
    await this.#arrive(session, beginMs);
  }

  async #play(session: Session, round: number): Promise<void> {
    const { seed, lane, party, parties, roundMs } = this.#options;
    const kind = hashOf(seed, lane, this.#epoch, round) % 3;
    if (kind === 0) await this.#count(session, `count-${round}`, party === round % parties);
    else if (kind === 1) await this.#meet(session, `state-${round}`, timeoutMs);
    else await this.#arrive(session);
    await pause(hashOf(seed, lane, round, party) % (2 * roundMs));
  }

  async #count(session: Session, name: string, opens: boolean): Promise<void> {
    const { parties: count } = this.#options;
    const handle = session.countBarrier(name);
    if (opens) {
      const asked: Asked = { kind: "count-init", count, error: 0 };
      await this.#ask(name, asked, handle, () => handle.init(count));
    }
    const asked: Asked = { kind: "count-wait", error: 0, timeoutMs };
    await this.#ask(name, asked, handle, () => handle.wait({ timeoutMs }));
  }

  async #meet(session: Session, name: string, patienceMs: number): Promise<void> {
    const { parties: target } = this.#options;
    const handle = session.stateBarrier(name);
    const asked: Asked = { kind: "signal-wait", target, timeoutMs: patienceMs };
    await this.#ask(name, asked, handle, () =>
      handle.signalAndWait(target, { timeoutMs: patienceMs }),
    );
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
  ): Promise<void> {
    const { history } = this.#options;
    const place = { history, party: this.#name, scope: this.#scope, name };
    await askToEnd({ ...place, asked, handle, call, answerOf });
  }
}

function answerOf(result: unknown): Answer {
  const { generation, error, value, phase } = (result ?? {}) as Answer;
  return Object.fromEntries(
    Object.entries({ generation, error, value, phase }).filter(([, told]) => told !== undefined),
  );
}
