// SPDX-License-Identifier: MIT
// `muster logs [-f] ID [NODE]`: what happened in the last run of an experiment, as the plain lines
// of `muster run`, or what the programs of a node print.
import type { Answer } from "../../boss/index.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandIo } from "../io.ts";
import { harmless } from "../output.ts";
import { askDaemon, stateOf } from "./serve-client.ts";

export interface LogsArguments {
  readonly id: string;
  /** null: the progress of the run. */
  readonly node: string | null;
  readonly follow: boolean;
  readonly state?: string;
}

/** @returns the exit status. @throws CommandError */
export async function logsCommand(argv: LogsArguments, io: CommandIo): Promise<number> {
  const { id, node, follow } = argv;
  const printer = new OutputPrinter(io, { isNode: node !== null });
  const onAnswer = (answer: Answer): void => {
    if (answer.kind === "output") printer.add(answer.source, answer.text);
  };
  try {
    const request = { kind: "logs", id, node, follow } as const;
    await askDaemon({ state: stateOf(argv.state), request, onAnswer });
  } finally {
    printer.finish();
  }
  return exitCodes.ok;
}

/**
 * Prints whole lines of several files in turn, under a heading where they alternate. Whatever comes
 * from programs is made harmless: it may come from anybody, and goes to a terminal.
 */
export class OutputPrinter {
  readonly #io: CommandIo;
  readonly #isNode: boolean;
  /** What has come of a line that is not complete. */
  readonly #rest = new Map<string, string>();
  #source: string | undefined;

  constructor(io: CommandIo, { isNode }: { readonly isNode: boolean }) {
    this.#io = io;
    this.#isNode = isNode;
  }

  add(source: string, text: string): void {
    const all = `${this.#rest.get(source) ?? ""}${text}`;
    const end = all.lastIndexOf("\n");
    this.#rest.set(source, all.slice(end + 1));
    if (end >= 0) this.#print(source, all.slice(0, end));
  }

  finish(): void {
    for (const [source, rest] of this.#rest) if (rest !== "") this.#print(source, rest);
    this.#rest.clear();
  }

  #print(source: string, text: string): void {
    const heading = this.#isNode && source !== this.#source ? `==> ${harmless(source)} <==\n` : "";
    this.#source = source;
    this.#io.stdout(`${heading}${text.split("\n").map(harmless).join("\n")}\n`);
  }
}
