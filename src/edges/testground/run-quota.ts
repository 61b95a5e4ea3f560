// SPDX-License-Identifier: MIT
// What one listener has brought into being: runs, names in them, stored bytes. Names that clients
// invent fill its own quota and not the core's (D18). A run that nobody is connected to any more
// keeps its state; when there are too many, the one that was left longest ago makes room.
import { type Objection, objectTo, type TestgroundBounds } from "./bounds.ts";

/** By kind: a state and a topic of one name are two. */
interface Run {
  readonly names: { readonly state: Set<string>; readonly topic: Set<string> };
  bytes: number;
  /** Connections that have used it. */
  users: number;
  /** When the last of them left, microseconds. */
  leftUs: number;
}

export interface RunQuotaOptions {
  readonly bounds: TestgroundBounds;
  readonly idleRunMs: number;
  readonly nowUs: () => number;
  /** A run has to make room: its scope ends. */
  readonly endRun: (scope: string) => void;
}

export class RunQuota {
  readonly #options: RunQuotaOptions;
  readonly #runs = new Map<string, Run>();
  #names = 0;
  #bytes = 0;

  constructor(options: RunQuotaOptions) {
    this.#options = options;
  }

  get counts(): { readonly runs: number; readonly names: number; readonly bytes: number } {
    return { runs: this.#runs.size, names: this.#names, bytes: this.#bytes };
  }

  /**
   * A connection uses a name in a run, for the first time perhaps.
   * @param users what the connection uses already; the run is added to it.
   * @returns why not, if it may not.
   */
  use(
    users: Set<string>,
    scope: string,
    kind: keyof Run["names"],
    name: string,
  ): Objection | undefined {
    const { bounds } = this.#options;
    const known = this.#runs.get(scope);
    if (known === undefined && this.#runs.size >= bounds.testgroundRunsMax && !this.#evict()) {
      return objectTo("too many runs at this door", bounds, "testgroundRunsMax");
    }
    if (known?.names[kind].has(name) !== true && this.#names >= bounds.testgroundNamesMax) {
      return objectTo("too many states and topics", bounds, "testgroundNamesMax");
    }
    const run = known ?? createRun();
    if (known === undefined) this.#runs.set(scope, run);
    if (!users.has(scope)) {
      users.add(scope);
      run.users += 1;
    }
    if (!run.names[kind].has(name)) {
      run.names[kind].add(name);
      this.#names += 1;
    }
    return undefined;
  }

  /** Room for a message, which it takes. @returns why not. */
  store(scope: string, bytes: number): Objection | undefined {
    const { bounds } = this.#options;
    if (this.#bytes + bytes > bounds.testgroundTopicBytesMax) {
      return objectTo("too much in all topics", bounds, "testgroundTopicBytesMax");
    }
    this.#add(scope, bytes);
    return undefined;
  }

  /** A message was not stored after all. */
  unstore(scope: string, bytes: number): void {
    this.#add(scope, -bytes);
  }

  /** A connection is gone. */
  leave(users: ReadonlySet<string>): void {
    for (const scope of users) {
      const run = this.#runs.get(scope);
      if (run === undefined) continue;
      run.users -= 1;
      run.leftUs = this.#options.nowUs();
    }
  }

  /** The scope has ended, whoever did it; who is connected may begin it anew. */
  ended(scope: string): void {
    const run = this.#runs.get(scope);
    if (run === undefined) return;
    this.#bytes -= run.bytes;
    for (const names of Object.values(run.names)) {
      this.#names -= names.size;
      names.clear();
    }
    run.bytes = 0;
    if (run.users === 0) this.#runs.delete(scope);
  }

  #add(scope: string, bytes: number): void {
    const run = this.#runs.get(scope);
    if (run === undefined) return;
    run.bytes += bytes;
    this.#bytes += bytes;
  }

  #evict(): boolean {
    const { nowUs, idleRunMs, endRun } = this.#options;
    let oldest: { readonly scope: string; readonly leftUs: number } | undefined;
    for (const [scope, { users, leftUs }] of this.#runs) {
      if (users > 0 || nowUs() - leftUs < idleRunMs * 1000) continue;
      if (oldest === undefined || leftUs < oldest.leftUs) oldest = { scope, leftUs };
    }
    if (oldest === undefined) return false;
    this.ended(oldest.scope);
    endRun(oldest.scope);
    return true;
  }
}

function createRun(): Run {
  return { names: { state: new Set(), topic: new Set() }, bytes: 0, users: 0, leftUs: 0 };
}
