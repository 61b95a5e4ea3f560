// SPDX-License-Identifier: MIT
// Runs a command on another machine through whatever the site has for that (ssh, a console, a
// container's door), and ends it for certain. A template names that program; like ssh it takes as
// its last argument a line for the shell over there. Without a template the command runs here.
//
//   H1. Nothing of a host, a user or a command is ever read by a shell as more than one word.
//   H2. Over there the command is the leader of a process group. When standard input ends - we
//       cancel, we die, the connection is cut - the group is told, and killed half a second later,
//       or when the command was given longer.
//   H3. The exit status is that of the command, or of the program of the template.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { LaunchError } from "./launch-error.ts";

export interface RemotePlace {
  readonly host: string;
  /** Who one is over there; the template may leave it out. */
  readonly user: string;
  readonly port?: number;
}

export interface RemoteCommand {
  readonly argv: readonly string[];
  /** Aborting it is cancelling: the local end is killed, H2 does the rest. */
  readonly signal?: AbortSignal;
  readonly onOutput: (stream: "stdout" | "stderr", text: string) => void;
  /** From being told to being killed, seconds; half a second when left out. */
  readonly graceSeconds?: number;
}

export interface RemoteEnding {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly cancelled: boolean;
}

export class RemoteShell {
  /** Words with `%h`, `%u`, `%p` and `%%`; none: here. */
  readonly #template: readonly string[];

  /**
   * @param template words between blanks; nothing else is special. @throws LaunchError (REFUSED)
   */
  constructor(template: string) {
    this.#template = template.split(/\s+/).filter((word) => word !== "");
    const unknown = /%.?/.exec(template.replace(/%[hup%]/g, ""))?.[0];
    if (unknown !== undefined) {
      const message = `${unknown} in the remote shell \`${template}\`: write %h, %u, %p, or %% for a percent sign`;
      throw new LaunchError("REFUSED", message);
    }
  }

  /** Whether commands run on this machine, by nobody's help. */
  get isLocal(): boolean {
    return this.#template.length === 0;
  }

  /** What is executed here. @throws LaunchError (REFUSED) for names that could be options. */
  argvFor(
    place: RemotePlace,
    argv: readonly string[],
    graceSeconds: number = usualGrace,
  ): string[] {
    if (argv[0] === undefined || argv[0].startsWith("-")) {
      const message = `${argv[0] ?? "nothing"} is no command for a remote shell; name a program`;
      throw new LaunchError("REFUSED", message);
    }
    return this.#argvOf(place, ["sh", "-c", guardFor(graceSeconds), "muster-remote", ...argv]);
  }

  /**
   * Starts a command that reads its standard input and ends with it, without H2's help. It is in a
   * session of its own: what is typed here is for us. @throws LaunchError (REFUSED)
   */
  open(place: RemotePlace, argv: readonly string[]): ChildProcessWithoutNullStreams {
    const [file = "", ...rest] = this.#argvOf(place, argv);
    return spawn(file, rest, { stdio: ["pipe", "pipe", "pipe"], detached: true });
  }

  #argvOf(place: RemotePlace, argv: readonly string[]): string[] {
    if (this.isLocal) return [...argv];
    const words = this.#template.map((word) => expand(word, place));
    return [...words, argv.map(quoteWord).join(" ")];
  }

  /** Resolves when the local end has ended. @throws LaunchError (REFUSED, LOST) */
  run(place: RemotePlace, command: RemoteCommand): Promise<RemoteEnding> {
    const [file = "", ...rest] = this.argvFor(place, command.argv, command.graceSeconds);
    if (command.signal?.aborted === true) {
      return Promise.resolve({ exitCode: null, signal: null, cancelled: true });
    }
    const child = spawn(file, rest, { stdio: ["pipe", "pipe", "pipe"] });
    forward(child, command);
    return new Promise((resolve, reject) => {
      let cancelled = false;
      const finish = (): void => {
        command.signal?.removeEventListener("abort", cancel);
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
        resolve({ exitCode: child.exitCode, signal: child.signalCode, cancelled });
      };
      const cancel = (): void => {
        cancelled = true;
        child.stdin.destroy();
        // Here the guard is the child itself: killed before its watcher is there, nobody would be
        // left to end the command.
        if (!this.isLocal) child.kill("SIGKILL");
        if (hasEnded(child)) finish();
      };
      command.signal?.addEventListener("abort", cancel, { once: true });
      child.once("error", (error) => {
        const message = `the remote shell ${file} cannot be run: ${error.message}; install it, or change the template`;
        reject(new LaunchError("LOST", message));
      });
      child.once("close", finish);
      // What a cancelled command has left over there may hold the pipes for another second.
      child.once("exit", () => {
        if (cancelled) finish();
      });
    });
  }
}

const usualGrace = 0.5;
const lookSeconds = 0.1;

/**
 * Runs over there, in any POSIX shell. The watcher reads standard input to its end; the command has
 * none. `setsid` makes the group, and is the command afterwards.
 */
const guardFor = (graceSeconds: number): string =>
  [
    "exec 3<&0",
    'setsid "$@" </dev/null 3<&- & child=$!',
    "{ while read -r _; do :; done; trap '' TERM",
    // Once its processes are gone the number of a group may be another's.
    `  kill -TERM -$child; left=${Math.max(1, Math.ceil(graceSeconds / lookSeconds))}`,
    `  while [ $left -gt 0 ] && kill -0 -$child; do sleep ${lookSeconds}; left=$((left - 1)); done`,
    "  kill -KILL -$child",
    "} <&3 3<&- >/dev/null 2>&1 & watcher=$!",
    "exec 3<&-",
    "wait $child; status=$?",
    // One that has begun to end the group does not hear it, and goes on.
    "kill -TERM $watcher 2>/dev/null",
    "exit $status",
  ].join("\n");

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function forward(child: ChildProcess, { onOutput }: RemoteCommand): void {
  child.stdin?.on("error", () => undefined); // It ended before we did.
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => onOutput(name, text));
  }
}

function expand(word: string, place: RemotePlace): string {
  return word.replace(/%([hup%])/g, (_, letter: string) => {
    switch (letter) {
      case "h":
        return checkName("host", place.host);
      case "u":
        return checkName("user", place.user);
      case "p":
        return String(place.port ?? 22);
      default:
        return "%";
    }
  });
}

/** A host that begins with a dash would be an option of ssh, and options run commands. */
function checkName(what: string, name: string): string {
  if (/^[\w:[][\w.:%\]-]{0,254}$/.test(name)) return name;
  const message = `${JSON.stringify(name)} is no name of a ${what} for a remote shell; use letters, digits, dots and dashes`;
  throw new LaunchError("REFUSED", message);
}

/** Within single quotes nothing is special to any shell. */
function quoteWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
