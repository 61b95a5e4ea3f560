// SPDX-License-Identifier: MIT
// Console agent: obeys CONSOLE events. A node of Muster has no serial line; its console is what its
// programs print. START marks where their output stands, STOP copies what came since into a log of
// the results. [EMULAB-EVENTS 2.8 CONSOLE]
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../host/clock.ts";
import type { NodeBackend } from "../nodes/index.ts";
import { isRunOutput } from "./program-files.ts";
import { completed, type ProgramResult, refused } from "./program-result.ts";
import { WorkQueue } from "./work-queue.ts";

export interface ConsoleAgentOptions {
  readonly backend: NodeBackend;
  /** Where logs go, absolute; made with the first. */
  readonly logs: string;
  readonly clock: Clock;
}

/** Where the output of a node stood, by file. */
type Marks = ReadonlyMap<string, number>;

const suffix = "-console";
const pieceBytes = 65_536;

export class ConsoleAgent {
  readonly #options: ConsoleAgentOptions;
  /** A STOP that comes while a START measures is of that START. */
  readonly #queue = new WorkQueue();
  readonly #marks = new Map<string, Marks>();

  constructor(options: ConsoleAgentOptions) {
    this.#options = options;
  }

  knows(name: string): boolean {
    return this.#directoryOf(name) !== undefined;
  }

  /** Never rejects. A second START moves the mark. */
  start(name: string): Promise<ProgramResult> {
    return this.#queue.add(() => this.#start(name));
  }

  /** Never rejects. The mark stays: another STOP copies from it again. */
  stop(name: string, file: string | undefined): Promise<ProgramResult> {
    return this.#queue.add(() => this.#stop(name, file));
  }

  async #start(name: string): Promise<ProgramResult> {
    const directory = this.#directoryOf(name);
    const nowUs = this.#options.clock.nowUs();
    if (directory === undefined) return refused(nowUs, `there is no console ${name}`);
    this.#marks.set(name, await measure(directory));
    return completed(nowUs);
  }

  async #stop(name: string, file: string | undefined): Promise<ProgramResult> {
    const nowUs = this.#options.clock.nowUs();
    const directory = this.#directoryOf(name);
    const marks = this.#marks.get(name);
    if (directory === undefined) return refused(nowUs, `there is no console ${name}`);
    if (marks === undefined) return refused(nowUs, "it was not started");
    if (file === undefined || !/^[\w.+:@=,-]+$/.test(file)) {
      return refused(nowUs, "STOP needs FILE=NAME, of letters, digits, - and _");
    }
    try {
      await mkdir(this.#options.logs, { recursive: true });
      await copySince(directory, marks, join(this.#options.logs, `${name}-${file}.log`));
      return completed(nowUs);
    } catch (error) {
      return refused(nowUs, `its log cannot be written: ${String(error)}`);
    }
  }

  #directoryOf(name: string): string | undefined {
    if (!name.endsWith(suffix)) return undefined;
    const node = this.#options.backend.nodes.get(name.slice(0, -suffix.length));
    return node?.hostPath.localLogs;
  }
}

async function measure(directory: string): Promise<Marks> {
  const marks = new Map<string, number>();
  for (const file of await listOutput(directory)) {
    const handle = await openOutput(directory, file);
    if (handle === undefined) continue;
    marks.set(file, (await handle.stat()).size);
    await handle.close();
  }
  return marks;
}

/** Under a heading for each file, in the order of their names; files without anything new not. */
async function copySince(directory: string, marks: Marks, path: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const log = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o640);
  try {
    for (const file of await listOutput(directory)) {
      const handle = await openOutput(directory, file);
      if (handle === undefined) continue;
      try {
        const { size } = await handle.stat();
        const fromBytes = marks.get(file) ?? 0;
        if (size <= fromBytes) continue;
        await log.write(`==> ${file} <==\n`);
        await copyRange(handle, log, { fromBytes, toBytes: size });
      } finally {
        await handle.close();
      }
    }
  } finally {
    await log.close();
  }
}

/** To where the file stood when it was asked: who goes on printing cannot hold the copy up. */
async function copyRange(
  from: FileHandle,
  to: FileHandle,
  { fromBytes, toBytes }: { readonly fromBytes: number; readonly toBytes: number },
): Promise<void> {
  const buffer = Buffer.allocUnsafe(pieceBytes);
  for (let at = fromBytes; at < toBytes; ) {
    const { bytesRead } = await from.read(buffer, 0, Math.min(pieceBytes, toBytes - at), at);
    if (bytesRead === 0) return;
    await to.write(buffer, 0, bytesRead);
    at += bytesRead;
  }
}

async function listOutput(directory: string): Promise<readonly string[]> {
  const files = await readdir(directory).catch(() => []);
  return files.filter(isRunOutput).sort();
}

/** The directory belongs to programs: undefined for what is no regular file. */
async function openOutput(directory: string, file: string): Promise<FileHandle | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    const handle = await open(join(directory, file), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch {
    // It has just been removed, or is a link.
  }
  return undefined;
}
