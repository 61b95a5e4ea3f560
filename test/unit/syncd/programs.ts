// SPDX-License-Identifier: MIT
// Starts the two programs from their sources, and the independent client and server in Python.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A started program, with what it has said so far. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  isOver = false;
  #wake: () => void = () => undefined;

  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(command, [...args], { cwd: root, env: { ...process.env, ...env } });
    this.child.stdin.on("error", () => undefined);
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#wake();
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code) => {
        this.isOver = true;
        this.#wake();
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Waits until the program has said something; fails when it ends without. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (found !== null) return found;
      if (this.isOver) throw new Error(`ended without ${pattern}: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    if (!this.isOver) this.child.kill(signal);
    return this.ended;
  }
}

const node = ["--disable-warning=ExperimentalWarning"];

export function runSync(args: readonly string[], env: Record<string, string> = {}): Program {
  return new Program(process.execPath, [...node, "src/cli/compat/emulab-sync.ts", ...args], env);
}

export function runSyncd(args: readonly string[], env: Record<string, string> = {}): Program {
  return new Program(process.execPath, [...node, "src/cli/compat/emulab-syncd.ts", ...args], env);
}

/** A server in the foreground on a free port, with its port. */
export async function startSyncd(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<{ program: Program; port: number }> {
  // As root the server would write the machine's own pid file.
  const pidFile = join(tmpdir(), `muster-test-${randomUUID()}.pid`);
  const own = args.includes("--pidfile") ? [] : ["--pidfile", pidFile];
  const program = runSyncd(["-d", ...own, ...args], env);
  // One that is killed leaves it.
  void program.ended.then(() => rmSync(pidFile, { force: true }));
  const [, port] = await program.said(/listening on port (\d+)/);
  return { program, port: Number(port) };
}

/** The independent client with one option list; its JSON line. */
export async function pythonClient(port: number, args: readonly string[]): Promise<PythonEnd> {
  const file = "test/conformance/independent/sync_client.py";
  const program = new Program("python3", [file, "--port", String(port), ...args]);
  const { stdout, stderr } = await program.ended;
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as PythonEnd;
}

export interface PythonEnd {
  readonly id?: string | number;
  readonly outcome: string;
  readonly reply_hex: string;
  readonly value: number | null;
  readonly closed: boolean;
}

/** The independent client with a script; the ends of its clients by id. */
export async function pythonScript(
  port: number,
  lines: readonly Record<string, unknown>[],
): Promise<ReadonlyMap<string, PythonEnd>> {
  const file = "test/conformance/independent/sync_client.py";
  const program = new Program("python3", [file, "--port", String(port), "--script", "-"]);
  program.child.stdin.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const { stdout, stderr } = await program.ended;
  const ends = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as PythonEnd);
  if (ends.length === 0) throw new Error(stderr);
  return new Map(ends.map((end) => [String(end.id), end]));
}

/** The independent server; `stop` ends it and gives its log. */
export async function startPythonServer(args: readonly string[] = []): Promise<{
  readonly port: number;
  readonly stop: () => Promise<readonly Record<string, unknown>[]>;
}> {
  const file = "test/conformance/independent/sync_server.py";
  const folder = mkdtempSync(join(tmpdir(), "muster-test-"));
  const log = join(folder, "requests.jsonl");
  const program = new Program("python3", [file, "--port", "0", "--log", log, ...args]);
  const [, port] = await program.said(/(?:listening|refusing) (\d+)/);
  const stop = async (): Promise<readonly Record<string, unknown>[]> => {
    await program.end();
    const lines = readFileSync(log, "utf8").split("\n");
    rmSync(folder, { recursive: true });
    return lines
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { port: Number(port), stop };
}
