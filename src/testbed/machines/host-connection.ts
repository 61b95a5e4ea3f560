// SPDX-License-Identifier: MIT
// From a remote shell to an agent's first word: starts the agent on a host, copies it there when it
// is missing or another one, and passes over what shells print before they run a command.
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createReadStream } from "node:fs";
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

export interface ConnectionOptions {
  readonly name: string;
  readonly place: RemotePlace;
  readonly shell: RemoteShell;
  readonly agent: AgentSource;
  readonly clock: Clock;
  /** Gives up. */
  readonly interrupt: AbortSignal;
  readonly say: (text: string) => void;
}

export interface HostConnection {
  /** Its output begins behind the preamble. */
  readonly child: ChildProcessWithoutNullStreams;
  /** What was said last on standard error, for whoever tells that it has ended. */
  lastWords(): string;
}

const agentArgv = ["node", "agent"];

/**
 * Runs over there. The executable is known by its checksum, so that another version is another
 * file, and appears whole.
 *
 *   $1 checksum; $2 bytes.
 */
const bootstrap: string = [
  "umask 077",
  "dir=${XDG_CACHE_HOME:-$HOME/.cache}/muster",
  "file=$dir/muster-$1",
  'sum() { sha256sum <"$1" 2>/dev/null | cut -c 1-64; }',
  'if [ -x "$file" ] && [ "$(sum "$file")" = "$1" ]; then echo muster-host have',
  "else",
  '  mkdir -p "$dir" || exit 73',
  '  echo "muster-host need $(uname -m)"',
  '  head -c "$2" >"$file.$$" && [ "$(sum "$file.$$")" = "$1" ] || {',
  '    rm -f "$file.$$"; echo "the executable did not arrive whole in $dir" >&2; exit 74; }',
  '  chmod 700 "$file.$$" && mv -f "$file.$$" "$file" || exit 73',
  "fi",
  `exec "$file" ${agentArgv.join(" ")}`,
].join("\n");

/** @throws Error with a clause that says why there is no agent; nothing is left running then. */
export async function connectHost(options: ConnectionOptions): Promise<HostConnection> {
  const { shell, place, agent, interrupt } = options;
  const argv =
    agent.kind === "command"
      ? [...agent.argv, ...agentArgv]
      : ["sh", "-c", bootstrap, "muster-host", agent.checksum, String(agent.bytes)];
  const child = shell.open(place, argv);
  const words = new LastWords(child);
  const reader = new WordFinder(child, options.clock, words);
  const give = (): void => {
    child.stdin.destroy();
    child.kill("SIGKILL");
  };
  interrupt.addEventListener("abort", give, { once: true });
  try {
    const limitMs =
      agent.kind === "executable"
        ? await copyWhenMissing(child, reader, { ...options, agent })
        : nodeLinkLimits.helloMs;
    await reader.find(new RegExp(preamble), limitMs, "said nothing");
    reader.release();
    return { child, lastWords: () => words.text };
  } catch (error) {
    give();
    throw error;
  } finally {
    interrupt.removeEventListener("abort", give);
  }
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
  file.on("error", () => child.kill("SIGKILL"));
  return nodeLinkLimits.copyMs;
}

/** Reads standard output word by word, until it is somebody else's. */
class WordFinder {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #clock: Clock;
  readonly #words: LastWords;
  #text = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #failure: string | undefined;
  readonly #onData = (chunk: Buffer): void => {
    this.#text = Buffer.concat([this.#text, chunk]);
    this.#wake();
  };
  readonly #onEnd = (): void => {
    this.#failure ??= "the remote shell ended";
    this.#wake();
  };

  constructor(child: ChildProcessWithoutNullStreams, clock: Clock, words: LastWords) {
    this.#child = child;
    this.#clock = clock;
    this.#words = words;
    child.stdout.on("data", this.#onData);
    child.once("error", (error) => {
      this.#failure ??= `the remote shell cannot be run: ${error.message}`;
      this.#wake();
    });
    child.once("close", this.#onEnd);
    child.stdin.on("error", () => undefined); // It ended; `close` says so.
  }

  /** What is before it is passed over. @throws Error with a clause */
  async find(word: RegExp, limitMs: number, otherwise: string): Promise<RegExpExecArray> {
    const cancel = this.#clock.after(limitMs, () => {
      this.#failure ??= `it ${otherwise} within ${limitMs / 1_000} s`;
      this.#wake();
    });
    try {
      for (;;) {
        const found = word.exec(this.#text.toString("latin1"));
        if (found !== null) {
          this.#text = this.#text.subarray(found.index + found[0].length);
          return found;
        }
        if (this.#text.length > nodeLinkLimits.noiseBytesMax) {
          this.#failure ??= `its shell prints more than ${nodeLinkLimits.noiseBytesMax} bytes`;
        }
        if (this.#failure !== undefined) throw new Error(this.#words.behind(this.#failure));
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
    this.#child.stdout.off("data", this.#onData);
    this.#child.off("close", this.#onEnd);
    this.#child.stdout.pause();
    if (this.#text.length > 0) this.#child.stdout.unshift(this.#text);
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

  behind(failure: string): string {
    const last = this.text.trimEnd().split("\n").at(-1) ?? "";
    return last === "" ? failure : `${failure}: ${last}`;
  }
}

const lastWordsMax = 1_000;
