// SPDX-License-Identifier: MIT
// The processes of clients that are killed, each with one party of every lane of theirs, and the
// agreement where a lane meets next: in a new scope as soon as one of its parties is done with the
// present one, or is new. Who still waits there is told nothing of it: that is what is tried.
import { readFileSync, truncateSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { formatLine } from "./history.ts";
import type { MortalLoad } from "./load/mortal.ts";
import { LoadProcess } from "./load-process.ts";
import { nowUs } from "./wait.ts";

export interface MortalOptions {
  readonly folder: string;
  readonly onSurprise: (what: string) => void;
  readonly load: Omit<MortalLoad, "history" | "party" | "epochs">;
  readonly lanes: number;
}

export class MortalClients {
  readonly members: readonly MortalClient[];
  /** Of each lane where it meets, from 1. */
  #epochs: readonly number[];
  #isEnd = false;

  constructor(options: MortalOptions) {
    this.#epochs = Array.from({ length: options.lanes }, () => 1);
    const parties = Array.from({ length: options.load.parties }, (_, party) => party);
    this.members = parties.map((party) => new MortalClient({ ...options, party, clients: this }));
    for (const member of this.members) member.start();
  }

  /** All meet anew. @returns where */
  renew(): readonly number[] {
    this.#tell(this.#epochs.map((epoch) => epoch + 1));
    return this.#epochs;
  }

  get epochs(): readonly number[] {
    return this.#epochs;
  }

  /** @param over of each lane the latest epoch that is over for somebody */
  hear(over: readonly number[]): void {
    if (this.#isEnd) return;
    if (!over.some((epoch, lane) => epoch >= (this.#epochs[lane] ?? 0))) return;
    this.#tell(this.#epochs.map((epoch, lane) => Math.max(epoch, (over[lane] ?? 0) + 1)));
  }

  /** Nobody meets anew. */
  end(): void {
    this.#isEnd = true;
    for (const member of this.members) member.tell("end");
  }

  #tell(epochs: readonly number[]): void {
    this.#epochs = epochs;
    for (const member of this.members) member.tell(epochs);
  }
}

/** One that is killed and started anew, with a history for each life. */
export class MortalClient {
  readonly name: string;
  lives = 0;
  /** In lives that are over. */
  #operations = 0;
  readonly #options: MortalOptions & { readonly party: number; readonly clients: MortalClients };
  #process: LoadProcess | undefined;

  constructor(options: MortalOptions & { party: number; clients: MortalClients }) {
    this.#options = options;
    this.name = `d${options.party + 1}`;
  }

  start(): void {
    const { folder, onSurprise, load, party, clients } = this.#options;
    const epochs = this.lives === 0 ? clients.epochs : clients.renew();
    this.lives += 1;
    const name = `${this.name}-${this.lives}`;
    this.#process = new LoadProcess(
      { name, program: "mortal.ts", folder, onSurprise, onRounds: (over) => clients.hear(over) },
      (history) => ({ ...load, history, party, epochs }),
    );
  }

  get operations(): number {
    return this.#operations + (this.#process?.operations ?? 0);
  }

  get isComplete(): boolean {
    return this.#process?.isComplete === true;
  }

  get completed(): Promise<true> | undefined {
    return this.#process?.completed;
  }

  tell(said: readonly number[] | "end"): void {
    this.#process?.tell(JSON.stringify(said));
  }

  /** `kill -9`; of a line that was not written to its end nothing stays. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    const us = nowUs();
    await process.kill();
    this.#operations += process.operations;
    const text = readFileSync(process.history);
    truncateSync(process.history, text.lastIndexOf("\n") + 1);
    await appendFile(process.history, formatLine(["killed", us]));
  }
}
