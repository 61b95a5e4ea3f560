// SPDX-License-Identifier: MIT
// Controllers that `muster serve` starts on other hosts, to join below it:
// `--below USER@HOST:PORT`, over the remote shell of `--below-shell`, by the command of
// `--below-command`. One that ends is started again, as long as this server lives; all end with it.
import { LaunchError, type RemotePlace, RemoteShell } from "../../events/launch/index.ts";
import { sleep, systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export interface BelowArguments {
  /** `HOST`, `USER@HOST`, `HOST:PORT`: as in a hosts file of GNUnet. */
  readonly below?: readonly string[];
  /** Words with `%h`, `%u`, `%p`; absent: the command runs here. */
  readonly belowShell?: string;
  /** Words of `muster serve ...` over there; `%h` is the host. */
  readonly belowCommand?: string;
  /** Address of this controller as they reach it; absent: the first it listens at. */
  readonly belowAt?: string;
}

export interface BelowPlan {
  readonly places: readonly RemotePlace[];
  readonly shell: RemoteShell;
  readonly command: readonly string[];
  readonly at: string | undefined;
}

const usualCommand = "muster serve --listen gnunet-barrier --state /var/lib/muster";
/** A command that ends at once is not started in a loop. */
const restartMs = 1_000;
/** Characters of a line of theirs that are shown. */
const lineMax = 1_000;

/** @returns undefined when none is asked for. @throws CommandError */
export function planBelow({
  below = [],
  belowShell = "",
  belowCommand,
  belowAt: at,
}: BelowArguments): BelowPlan | undefined {
  if (below.length === 0) {
    if (belowShell === "" && belowCommand === undefined && at === undefined) return undefined;
    throw wrong("--below-shell, --below-command and --below-at say how to start --below HOST");
  }
  const places = below.map(parseBelow);
  const hosts = new Set(places.map(({ host }) => host));
  if (hosts.size < places.length) throw wrong("--below: a host has one controller of a tree");
  const command = (belowCommand ?? usualCommand).split(/\s+/).filter((word) => word !== "");
  if (command.length === 0) throw wrong("--below-command: name a program");
  try {
    const shell = new RemoteShell(belowShell);
    for (const place of places) shell.argvFor(place, command);
    return { places, shell, command, at };
  } catch (error) {
    if (error instanceof LaunchError) throw wrong(`--below: ${error.message}`);
    throw error;
  }
}

/** @throws CommandError */
export function parseBelow(text: string): RemotePlace {
  const [, user = "root", host = "", port] =
    /^(?:([^@]+)@)?([^@:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host !== "") return port === undefined ? { user, host } : { user, host, port: Number(port) };
  throw wrong(`--below ${text}: give HOST, USER@HOST or USER@HOST:PORT`);
}

export interface OpenBelowOptions {
  readonly plan: BelowPlan;
  /** `NAME@ADDRESS` of this controller, as they reach it. */
  readonly parent: string;
  readonly logger: Logger;
  /** A line for people. */
  readonly say: (line: string) => void;
}

/** Starts all of them. @returns what ends them; it resolves when they have ended. */
export function openBelow(options: OpenBelowOptions): () => Promise<void> {
  const ending = new AbortController();
  const kept = options.plan.places.map((place) => keep(place, options, ending.signal));
  return async () => {
    ending.abort();
    await Promise.all(kept);
  };
}

async function keep(
  place: RemotePlace,
  { plan, parent, logger, say }: OpenBelowOptions,
  signal: AbortSignal,
): Promise<void> {
  const argv = [
    ...plan.command.map((word) => word.replaceAll("%h", place.host)),
    ...["--name", place.host, "--parent", parent],
  ];
  while (!signal.aborted) {
    let [rest, last] = ["", ""];
    const onOutput = (_stream: "stdout" | "stderr", text: string): void => {
      const lines = (rest + text).split("\n");
      rest = (lines.pop() ?? "").slice(-lineMax);
      for (const line of lines) {
        last = line.slice(0, lineMax).replace(/^muster: /, "");
        say(`${place.host}: ${last}`);
      }
    };
    const end = await plan.shell.run(place, { argv, signal, onOutput }).catch(describeLoss);
    if (signal.aborted) return;
    const how = typeof end === "string" ? end : `it ended with ${end.signal ?? end.exitCode}`;
    logger.log("warn", `controller ${place.host}: ${how}: ${last}; starting it again`);
    await Promise.race([sleep(systemClock, restartMs), aborted(signal)]);
  }
}

function describeLoss(error: unknown): string {
  if (error instanceof LaunchError) return error.message;
  throw error;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
