// SPDX-License-Identifier: MIT
// What a server has to say of limits, and to whom. What it was told by whoever started it is to
// hold in the log: it tells the log at its start where that says otherwise, once (T1). From then on
// the log decides, and what others tell it is said here. A log of an older version takes nothing of
// it: then the server waits, and says so (D12).
import type { Command } from "../core/command.ts";
import { type CoreLimits, complaintOfLimits, coreLimitNames } from "../core/limits.ts";
import type { Service } from "../core/service.ts";
import type { ToldLimit } from "../core/told-limits.ts";
import { LogError } from "../engine/log.ts";
import type { Logger } from "./logger.ts";

export interface LimitTellerOptions {
  readonly core: Service;
  /** What this server was told. */
  readonly told: Partial<CoreLimits>;
  /** What it is called in entries, empty where only one server appends. */
  readonly server: string;
  readonly logger: Logger;
  /** Appends a command of the server's own edge, if it has one. */
  readonly say: (command: Command) => void;
  /** Whether everything that edge has said is in the log. */
  readonly isQuiet: () => boolean;
}

export class LimitTeller {
  readonly #options: LimitTellerOptions;
  /** What the log was seen to say last. */
  #seen: readonly ToldLimit[] = [];
  #hasJoined = false;
  /** Its `limits` are on their way, in this life. */
  #isSaid = false;
  /** They were in the log: whoever tells it otherwise was later. */
  #isDone = false;
  #hasWarned = false;
  readonly #waiting: (() => void)[] = [];

  constructor(options: LimitTellerOptions) {
    this.#options = options;
  }

  /** What goes along with the command that raises the log. */
  get told(): Partial<CoreLimits> {
    return this.#options.told;
  }

  /**
   * Before the server joins, when it has read the log.
   * @throws LogError (definite) when what it was told does not go with what the log says of others
   */
  check(): void {
    const { core, told } = this.#options;
    this.#seen = core.toldLimits.rows;
    const wrong = complaintOfLimits({ ...core.toldLimits.current, ...told });
    if (wrong === undefined) return;
    const held = describeLimits(core.toldLimits.rows) || "the defaults";
    const message = `--limit ${settings(told)}: ${wrong}; the log has ${held}: give both`;
    throw new LogError(message, { definite: true });
  }

  /** The server's edge begins a life; what it says now is the first of it in the log. */
  joined(): void {
    this.#hasJoined = true;
    this.#isSaid = false;
    this.#tell();
  }

  /** The core is at another entry. */
  applied(): void {
    const { core } = this.#options;
    const { rows, isState } = core.toldLimits;
    if (!this.#hasJoined) return;
    if (rows !== this.#seen) this.#sayChanged(rows);
    if (!this.#isDone && isState) {
      if (!this.#isSaid) this.#tell();
      this.#isDone = this.#news().length === 0 || (this.#isSaid && this.#options.isQuiet());
    }
    if (this.#isDone || (!isState && this.#options.isQuiet())) this.#release();
  }

  /** Resolves when what it was told holds, or it is known that it has to wait. */
  settled(): Promise<void> {
    if (Object.keys(this.told).length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.applied();
    });
  }

  #tell(): void {
    const { core, say } = this.#options;
    if (this.#isDone || !core.toldLimits.isState) return;
    this.#isSaid = true;
    const news = this.#news();
    if (news.length > 0) say({ kind: "limits", limits: Object.fromEntries(news) });
  }

  /** What it was told, and does not hold. */
  #news(): readonly (readonly [name: keyof CoreLimits, value: number])[] {
    const { core, told } = this.#options;
    return coreLimitNames.flatMap((name) => {
      const value = told[name];
      return value === undefined || value === core.toldLimits.current[name]
        ? []
        : [[name, value] as const];
    });
  }

  #release(): void {
    if (this.#waiting.length === 0) return;
    if (!this.#isDone && !this.#hasWarned) {
      this.#hasWarned = true;
      const { core, logger } = this.#options;
      const why = `the log is of version ${core.version} until no server of an older build lives`;
      const what = `--limit ${settings(this.told)} holds in this server only until then`;
      logger.log("warn", `${why}; ${what}: start all with the same, or they judge differently`);
    }
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** By name and values, also what this server was told otherwise. */
  #sayChanged(rows: readonly ToldLimit[]): void {
    const before = new Map(this.#seen.map(({ name, value }) => [name, value]));
    this.#seen = rows;
    const { server, told, logger } = this.#options;
    const others = rows.filter(
      (row) => row.server !== server && before.get(row.name) !== row.value,
    );
    if (others.length === 0) return;
    const own = others.filter(({ name, value }) => (told[name] ?? value) !== value);
    const what = own.map(({ name }) => `${name}=${told[name]}`).join(", ");
    const differs = own.length === 0 ? "" : `; this server was told ${what}, which holds no more`;
    logger.log("warn", `the limits of the log are now ${describeLimits(others)}${differs}`);
  }
}

/** `waitersPerBarrierMax=10 (set by server a)`, for people. */
export function describeLimits(rows: readonly ToldLimit[]): string {
  return rows
    .map(({ name, value, server }) => {
      const by = server.replace(/^server\//, "server ");
      return `${name}=${value}${by === "" ? "" : ` (set by ${by})`}`;
    })
    .join(", ");
}

function settings(limits: Partial<CoreLimits>): string {
  return coreLimitNames
    .filter((name) => limits[name] !== undefined)
    .map((name) => `${name}=${limits[name]}`)
    .join(", ");
}
