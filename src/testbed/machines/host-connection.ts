// SPDX-License-Identifier: MIT
// From a remote shell to an agent's first word: starts the agent on a host, copies it there when it
// is missing or another one, and passes over what shells print before they run a command.
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createReadStream } from "node:fs";
import type { Duplex, Readable, Writable } from "node:stream";
import type { RemotePlace, RemoteShell } from "../../events/launch/index.ts";
import type { Clock } from "../../host/clock.ts";
import { nodeLinkLimits, preamble } from "../../wire/node-link/index.ts";

/** What runs on a host: a command that is there, or this executable, copied over. */
export type AgentSource =
  | { readonly kind: "command"; readonly argv: readonly string[] }
  | {
      readonly kind: "executable";
      readonly path: string;
      readonly bytes: number;
      /** SHA-256, hexadecimal. */
      readonly checksum: string;
      /** As `uname -m` says it. */
      readonly machine: string;
    };

export interface ShellOptions {
  readonly name: string;
  readonly place: RemotePlace;
  readonly shell: RemoteShell;
  readonly agent: AgentSource;
}

export interface ConnectionOptions extends ShellOptions {
  readonly clock: Clock;
  /** Gives up. */
  readonly interrupt: AbortSignal;
  readonly say: (text: string) => void;
}

export interface HostConnection {
  /** What the agent says, behind the preamble. */
  readonly input: Readable;
  readonly output: Writable;
  /** What was said last beside it, for whoever tells that it has ended. */
  lastWords(): string;
  /** Resolves when all that was started here for it has ended. */
  readonly ended: Promise<unknown>;
  kill(): void;
}

/** A way to a host. @throws Error with a clause that says why there is no agent */
export type ConnectHost = (how: {
  readonly clock: Clock;
  readonly interrupt: AbortSignal;
  readonly say: (text: string) => void;
}) => Promise<HostConnection>;

/** Over a stream that an agent speaks on; it is destroyed when nothing comes of it. */
export async function connectStream(
  stream: Duplex,
  { clock, interrupt }: Pick<ConnectionOptions, "clock" | "interrupt">,
): Promise<HostConnection> {
  const reader = new WordFinder(stream, clock);
  const give = (): void => reader.fail("the run was interrupted before its agent spoke");
  stream.once("error", (error) => reader.fail(`the connection failed: ${error.message}`));
  stream.once("close", () => reader.fail("the connection ended"));
  const ended = new Promise((resolve) => stream.once("close", resolve));
  onAbort(interrupt, give);
  try {
    await reader.find(new RegExp(preamble), nodeLinkLimits.helloMs, "said nothing");
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    interrupt.removeEventListener("abort", give);
  }
  reader.release();
  return {
    ...{ input: stream, output: stream, ended, lastWords: () => "" },
    kill: () => stream.destroy(),
  };
}

/** Also when it was aborted before. */
function onAbort(interrupt: AbortSignal, listener: () => void): void {
  if (interrupt.aborted) listener();
  else interrupt.addEventListener("abort", listener, { once: true });
}

const agentArgv = ["node", "agent"];

/**
 * Runs over there. The executable is known by its checksum, so that another version is another
 * file, and appears whole. What a copy has left that was killed goes with one a day later. Nothing
 * is asked for that there is no room for, as far as `df` knows.
 *
 *   $1 checksum; $2 bytes.
 */
const bootstrap: string = [
  "umask 077",
  '[ -n "$XDG_CACHE_HOME" ] || XDG_CACHE_HOME=$HOME/.cache',
  "dir=$XDG_CACHE_HOME/muster",
  "file=$dir/muster-$1",
  'sum() { sha256sum <"$1" 2>/dev/null | cut -c 1-64; }',
  'if [ -x "$file" ] && [ "$(sum "$file")" = "$1" ]; then echo muster-host have',
  "else",
  '  mkdir -p "$dir" || exit 73',
  '  find "$dir" -maxdepth 1 -type f -name "muster-*.*" -mtime +0 -exec rm -f {} + 2>/dev/null',
  `  room=$(df -Pk "$dir" 2>/dev/null | sed -n '$s/.* \\([0-9][0-9]*\\)  *[0-9]*% .*/\\1/p')`,
  '  [ -z "$room" ] || [ "$room" -ge $((($2 + 1023) / 1024)) ] || {',
  '    echo "there is no room for muster in $dir: it takes $((($2 + 1048575) / 1048576)) MiB, and" \\',
  '      "$((room / 1024)) MiB are free" >&2; exit 73; }',
  '  echo "muster-host need $(uname -m)"',
  '  why=$(head -c "$2" 2>&1 >"$file.$$") && [ "$(sum "$file.$$")" = "$1" ] || {',
  '    rm -f "$file.$$"; [ -z "$why" ] || why=": $why"',
  '    echo "the executable did not arrive whole in $dir$why" >&2; exit 74; }',
  '  chmod 700 "$file.$$" && mv -f "$file.$$" "$file" || exit 73',
  "fi",
  `exec "$file" ${agentArgv.join(" ")}`,
].join("\n");

/** The way over a remote shell. */
export function overShell(shell: ShellOptions): ConnectHost {
  return (how) => connectHost({ ...shell, ...how });
}

/** @throws Error with a clause that says why there is no agent; nothing is left running then. */
export async function connectHost(options: ConnectionOptions): Promise<HostConnection> {
  const { shell, place, agent, interrupt } = options;
  const argv =
    agent.kind === "command"
      ? [...agent.argv, ...agentArgv]
      : ["sh", "-c", bootstrap, "muster-host", agent.checksum, String(agent.bytes)];
  const child = shell.open(place, argv);
  const words = new LastWords(child);
  const reader = new WordFinder(child.stdout, options.clock);
  child.once("error", (error) => reader.fail(`the remote shell cannot be run: ${error.message}`));
  child.once("close", (code) => reader.fail(whyEnded(code, words, reader)));
  child.stdin.on("error", () => undefined); // It ended; `close` says so.
  const ended = new Promise((resolve) => child.once("close", resolve));
  const give = (): void => killShell(child);
  onAbort(interrupt, give);
  try {
    const limitMs =
      agent.kind === "executable"
        ? await copyWhenMissing(child, reader, { ...options, agent })
        : nodeLinkLimits.helloMs;
    await reader.find(new RegExp(preamble), limitMs, "said nothing");
    reader.release();
    return {
      ...{ input: child.stdout, output: child.stdin, ended, lastWords: () => words.text },
      kill: give,
    };
  } catch (error) {
    give();
    throw error;
  } finally {
    interrupt.removeEventListener("abort", give);
  }
}

/**
 * With its group, which it leads: a shell may be a script that has started the real one. One that
 * has left the group and holds the streams keeps nobody waiting.
 */
function killShell(child: ChildProcessWithoutNullStreams): void {
  const { pid, exitCode, signalCode } = child;
  // Once it has been reaped the number may be another group's.
  if (pid !== undefined && exitCode === null && signalCode === null) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended, and its exit is on the way.
    }
  }
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
}

/** Statuses of `bootstrap`, which says why: it is no fault of the shell's. */
const cannotCopy: readonly (number | null)[] = [73, 74];

/** A shell may say why it runs nothing on standard output, as that of an account without one. */
function whyEnded(code: number | null, words: LastWords, reader: WordFinder): string {
  const last = words.lastLine;
  if (cannotCopy.includes(code) && last !== "") return last;
  // One that was killed has said why nowhere.
  const why = last === "" && code !== null ? reader.lastLine : last;
  if (why !== "") return `the remote shell ended: ${why}`;
  return code === null
    ? "the remote shell ended"
    : `the remote shell ended with ${code}, and said nothing`;
}

/** @returns how long it may take until the agent speaks */
async function copyWhenMissing(
  child: ChildProcessWithoutNullStreams,
  reader: WordFinder,
  options: ConnectionOptions & { readonly agent: Extract<AgentSource, { kind: "executable" }> },
): Promise<number> {
  const { agent, say, name } = options;
  const [, answer = "", machine = ""] = await reader.find(
    /(?:^|\n)muster-host (have|need)(?: (\w+))?\n/,
    nodeLinkLimits.helloMs,
    "said nothing",
  );
  if (answer === "have") return nodeLinkLimits.helloMs;
  if (machine !== agent.machine) {
    throw new Error(`it is of the kind ${machine}, and ${agent.path} is for ${agent.machine}`);
  }
  const mib = Math.ceil(agent.bytes / 2 ** 20);
  say(`${name} gets muster (${mib} MiB), which is not there in this version`);
  const file = createReadStream(agent.path);
  file.pipe(child.stdin, { end: false });
  file.on("error", () => killShell(child));
  return nodeLinkLimits.copyMs;
}

/** Reads a stream word by word, until it is somebody else's. */
class WordFinder {
  readonly #input: Readable;
  readonly #clock: Clock;
  #text = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #failure: string | undefined;
  readonly #onData = (chunk: Buffer): void => {
    this.#text = Buffer.concat([this.#text, chunk]);
    this.#wake();
  };

  constructor(input: Readable, clock: Clock) {
    this.#input = input;
    this.#clock = clock;
    input.on("data", this.#onData);
  }

  /** Nothing more will come. */
  fail(why: string): void {
    this.#failure ??= why;
    this.#wake();
  }

  /** Of what nobody has looked for. */
  get lastLine(): string {
    return lastLineOf(this.#text.toString("utf8"));
  }

  /** What is before it is passed over. @throws Error with a clause */
  async find(word: RegExp, limitMs: number, otherwise: string): Promise<RegExpExecArray> {
    const cancel = this.#clock.after(limitMs, () => {
      this.fail(`it ${otherwise} within ${limitMs / 1_000} s`);
    });
    try {
      for (;;) {
        const found = word.exec(this.#text.toString("latin1"));
        if (found !== null) {
          this.#text = this.#text.subarray(found.index + found[0].length);
          return found;
        }
        if (this.#text.length > nodeLinkLimits.noiseBytesMax) {
          this.fail(`its shell prints more than ${nodeLinkLimits.noiseBytesMax} bytes`);
        }
        if (this.#failure !== undefined) throw new Error(this.#failure);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      cancel();
    }
  }

  /** What was read too far goes back. */
  release(): void {
    this.#input.off("data", this.#onData);
    this.#input.pause();
    if (this.#text.length > 0) this.#input.unshift(this.#text);
  }
}

/** The end of what a remote shell says on standard error. */
class LastWords {
  text = "";

  constructor(child: ChildProcessWithoutNullStreams) {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.text = (this.text + text).slice(-lastWordsMax);
    });
  }

  get lastLine(): string {
    return lastLineOf(this.text);
  }
}

/** Without what a terminal would obey. */
function lastLineOf(text: string): string {
  const line = text.slice(-lastWordsMax).trimEnd().split("\n").at(-1) ?? "";
  return line.trim().replaceAll(/\p{Cc}/gu, "?");
}

const lastWordsMax = 1_000;
