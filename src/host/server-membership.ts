// SPDX-License-Identifier: MIT
// A host as one of several servers of a log: what it and its edges are called there, when it says
// that it lives, and which edges it answers for (D3, D5, D6). The order of servers, their leases
// and what their end means are the core's.
//
//   V1. A server appends an entry each third of its lease, also when it has nothing to say.
//   V2. A tick that is due is appended by the first of the living servers; the one of rank r waits
//       r x 250 ms longer, in which the tick of another comes.
//   V3. Of two processes of one name the first ends: the one whose join had been read by the other
//       when that joined. A join that has not read it is what an earlier process of this server
//       sent and the log took late; the living one joins anew, and its join has read the other.
import type { Batch, Command, Entry, LogEntry, ServerLife } from "../core/command.ts";
import type { Service } from "../core/service.ts";
import { type DigestVerdict, DigestWatch, digestEveryEntries } from "./digest-watch.ts";

/** Log time after which a server that nobody hears of has ended. */
export const serverLeaseUs = 10_000_000;
/** What the server of the next rank waits longer (V2). */
const rankDelayUs = 250_000;

export interface MembershipOptions {
  readonly build: string;
  readonly digestEveryEntries?: number | undefined;
  /** See HostOptions. */
  readonly whenReplaced?: string | undefined;
}

/** What a server learns of an entry. */
export interface ServerNews {
  readonly verdict: DigestVerdict | undefined;
  /** What it has to say. */
  readonly answers: readonly Command[];
}

/** How a life of a server has ended. */
export interface LifeEnd {
  readonly why: string;
  /** Another server has its name: it does not go on. */
  readonly isForGood: boolean;
}

/** Why an edge was ended whose server lives, or has the log alone. */
export const edgeReplaced = "another one attached under its name";

/** What is said of the end of a life that the server goes on from. */
const endings = {
  lease: "the other servers took this one as ended",
  lateJoin:
    "the log took late what another process of this name had sent before it knew of this one",
} as const;

/** The edge that a server is. */
export function serverEdge(name: string): string {
  return `server/${name}`;
}

export class ServerMembership {
  readonly edge: string;
  readonly digests: DigestWatch;
  readonly #name: string;
  readonly #core: Service;
  readonly #whenReplaced: string;
  #incarnation = 0;
  #heardUs = 0;
  /** The entry by which this life has begun, once it is read. */
  #joinedAt: number | undefined;
  /** The last join under its name that was not its own, and what had been read there (V3). */
  #other: { readonly incarnation: number; readonly behind: number | undefined } | undefined;
  /** By server: the newest snapshot that it has said to be beyond. */
  readonly #reached = new Map<string, number>();
  #waitingCut: { readonly sequence: number; readonly cut: () => void } | undefined;

  constructor(name: string, core: Service, options: MembershipOptions) {
    this.#name = name;
    this.#core = core;
    this.edge = serverEdge(name);
    const advice = "so this one has ended; give each a name of its own with --name";
    this.#whenReplaced =
      options.whenReplaced ?? `another server named ${name} has joined the log, ${advice}`;
    this.digests = new DigestWatch({
      server: this.edge,
      build: options.build,
      everyEntries: options.digestEveryEntries ?? digestEveryEntries,
      servers: () => core.servers(),
    });
  }

  get life(): ServerLife {
    return { edge: this.edge, incarnation: this.#incarnation };
  }

  /** It joins, or joins anew. */
  begin(incarnation: number, nowUs: number): void {
    this.#incarnation = incarnation;
    this.#heardUs = nowUs;
    this.#joinedAt = undefined;
  }

  /** An entry may be a join under its name; called before its effects are known. */
  readJoin({ sequence, entry: { server, batches } }: LogEntry): void {
    if (server?.edge !== this.edge) return;
    for (const { edge, incarnation, commands } of batches) {
      const [first] = commands;
      if (edge !== this.edge || first?.kind !== "attach") continue;
      if (incarnation === this.#incarnation) this.#joinedAt ??= sequence;
      else this.#other = { incarnation, behind: first.behind };
    }
  }

  /** Names of edges in this process: every server has doors of the same kinds. */
  nameOf(edge: string): string {
    return `${this.#name}/${edge}`;
  }

  /** Whether an entry is of this life of the server. */
  appended({ server }: Entry): boolean {
    return server?.edge === this.edge && server.incarnation === this.#incarnation;
  }

  /** What an entry says of servers. */
  read({ server, batches }: Entry): ServerNews {
    const answers: Command[] = [];
    for (const { edge, commands } of server === undefined ? [] : batches) {
      if (edge !== server?.edge) continue;
      for (const command of commands) {
        if (command.kind === "digest") {
          const verdict = this.digests.told(edge, command);
          if (verdict !== undefined) return { verdict, answers };
        } else if (command.kind === "snapshot") {
          answers.push({ kind: "reached", sequence: command.sequence });
        } else if (command.kind === "reached") {
          this.#reached.set(edge, command.sequence);
        }
      }
    }
    this.#cutIfReached();
    return { verdict: undefined, answers };
  }

  /** K2. `cut` is called when every living server has said that it is beyond that entry. */
  whenReached(sequence: number, cut: () => void): void {
    this.#waitingCut = { sequence, cut };
  }

  #cutIfReached(): void {
    const waiting = this.#waitingCut;
    if (waiting === undefined) return;
    const reached = (server: string): number => this.#reached.get(server) ?? 0;
    if (this.#core.servers().some((server) => reached(server) < waiting.sequence)) return;
    this.#waitingCut = undefined;
    for (const server of this.#reached.keys()) {
      if (this.#core.placeOf(server).incarnation === 0) this.#reached.delete(server);
    }
    waiting.cut();
  }

  /** Whether it is the first of the living servers. */
  get isFirst(): boolean {
    return this.#core.servers()[0] === this.edge;
  }

  heard(nowUs: number): void {
    this.#heardUs = nowUs;
  }

  /** Until it has to say that it lives (V1). */
  untilHeartbeatUs(nowUs: number): number {
    return this.#heardUs + Math.trunc(serverLeaseUs / 3) - nowUs;
  }

  /** What it leaves to those before it (V2). */
  get tickDelayUs(): number {
    return Math.max(0, this.#core.servers().indexOf(this.edge)) * rankDelayUs;
  }

  /** Whether a batch is that by which an edge has come to another server. */
  isMove({ edge, commands }: Batch): boolean {
    if (!commands.some(({ kind }) => kind === "attach")) return false;
    const { incarnation, server } = this.#core.placeOf(edge);
    return incarnation !== 0 && server !== this.edge;
  }

  /** Whether the log has its present life. */
  get lives(): boolean {
    return this.#core.placeOf(this.edge).incarnation === this.#incarnation;
  }

  /** Why an edge of this process was ended that has not ended itself. */
  whyRevoked(): { readonly why: string; readonly isMomentary: boolean } {
    const isMomentary = !this.lives;
    return { why: isMomentary ? this.ended().why : edgeReplaced, isMomentary };
  }

  /** V3. How its life has ended: the other servers waited for its lease, or somebody has joined. */
  ended(): LifeEnd {
    const { incarnation } = this.#core.placeOf(this.edge);
    const goesOn = (why: string): LifeEnd => ({ why, isForGood: false });
    if (incarnation === 0 || incarnation === this.#incarnation) return goesOn(endings.lease);
    const [other, joinedAt] = [this.#other, this.#joinedAt];
    const behind = other?.incarnation === incarnation ? other.behind : undefined;
    if (behind !== undefined && joinedAt !== undefined && behind < joinedAt)
      return goesOn(endings.lateJoin);
    return { why: this.#whenReplaced, isForGood: true };
  }
}
