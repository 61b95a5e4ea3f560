// SPDX-License-Identifier: MIT
// Foreign parties for the GNUnet doors: small C programs over Debian's library, compiled once for a
// test file, and the independent client in Python. Each is a process that is told lines and says
// lines.
import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A process, and the lines it has said. */
export class LineProgram {
  readonly lines: string[] = [];
  stderr = "";
  /** Exit status; null after a signal. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcessWithoutNullStreams;
  #isOver = false;
  readonly #waiting: (() => void)[] = [];

  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
    this.#child = spawn(command, [...args], { env: { ...process.env, ...env } });
    this.#child.stdin.on("error", () => undefined);
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.lines.push(line);
      this.#wake();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code) => {
        this.#isOver = true;
        this.#wake();
        resolve(code);
      });
    });
  }

  send(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** No more orders. */
  endInput(): void {
    this.#child.stdin.end();
  }

  /** Waits until so many lines match, and fails when it ends before. @returns the last of them. */
  async said(pattern: RegExp, times = 1): Promise<string> {
    for (;;) {
      const found = this.lines.filter((line) => pattern.test(line));
      const last = found[times - 1];
      if (last !== undefined) return last;
      if (this.#isOver) {
        const said = [...this.lines, this.stderr].join("\n");
        throw new Error(`ended without ${times} of ${pattern}:\n${said}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    if (!this.#isOver) this.#child.kill(signal);
  }
}

/** The C programs, built. */
export class GnunetPrograms {
  readonly folder: string = mkdtempSync(join(tmpdir(), "muster-gnunet-c-"));
  readonly #started: LineProgram[] = [];

  static async build(): Promise<GnunetPrograms> {
    const programs = new GnunetPrograms();
    for (const name of ["waiter", "driver"]) {
      const source = join(import.meta.dirname, `${name}.c`);
      const libraries = ["-lgnunettestbed", "-lgnunetutil"];
      const output = join(programs.folder, name);
      await run("gcc", ["-I/usr/include/gnunet", "-o", output, source, ...libraries]);
    }
    return programs;
  }

  get waiterPath(): string {
    return join(this.folder, "waiter");
  }

  get driverPath(): string {
    return join(this.folder, "driver");
  }

  /** A peer: waits at the barrier of the controller whose configuration this is. */
  waiter(config: string, ...args: readonly string[]): LineProgram {
    return this.#start(this.waiterPath, args, { GNUNET_TESTBED_CONTROLLER_CONFIG: config });
  }

  driver(config: string): LineProgram {
    return this.#start(this.driverPath, [config]);
  }

  python(): IndependentClient {
    const client = new IndependentClient();
    this.#started.push(client.program);
    return client;
  }

  close(): void {
    for (const program of this.#started) program.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  #start(path: string, args: readonly string[], env: Record<string, string> = {}): LineProgram {
    const program = new LineProgram(path, args, env);
    this.#started.push(program);
    return program;
  }
}

export interface Told {
  readonly id?: string;
  readonly opened?: boolean;
  readonly closed?: "eof" | "reset";
  readonly type?: number;
  readonly hex?: string;
  readonly status?: number;
  readonly name?: string;
  readonly text?: string;
  readonly peer?: number;
  readonly operation?: number;
  readonly event?: number;
}

const script = join(import.meta.dirname, "../independent-gnunet/gnunet_client.py");

/** The client in Python; see its head for the orders it takes. */
export class IndependentClient {
  readonly program: LineProgram = new LineProgram("python3", [script]);
  #syncs = 0;

  order(order: Readonly<Record<string, unknown>>): void {
    this.program.send(JSON.stringify(order));
  }

  /** Opens a connection, and waits until it is. */
  async open(id: string, at: string): Promise<void> {
    this.order({ open: id, at });
    await this.program.said(new RegExp(`"id": "${id}", "opened"`));
  }

  send(id: string, message: Readonly<Record<string, unknown>>): void {
    this.order({ send: id, ...message });
  }

  /** Everything that has come to a connection, in order, without its opening. */
  told(id: string): readonly Told[] {
    return this.program.lines
      .map((line) => JSON.parse(line) as Told)
      .filter((one) => one.id === id && one.opened === undefined);
  }

  /** Waits until so much has come to a connection. @returns all of it. */
  async heard(id: string, count: number): Promise<readonly Told[]> {
    await this.program.said(new RegExp(`"id": "${id}", "(?:type|closed)"`), count);
    return this.told(id);
  }

  /** Waits until every order so far has been obeyed; what it led to may still be on its way. */
  async obeyed(): Promise<void> {
    this.#syncs += 1;
    this.order({ sync: this.#syncs });
    await this.program.said(new RegExp(`"sync": ${this.#syncs}}`));
  }
}
