// SPDX-License-Identifier: MIT
// The servers of one log are one controller of a tree (D1): they have one name there, and those
// below join any of them with one key. Each says both in the log, by an edge of that name, so that
// one that was told something else ends at its start and not when another one dies.
import { secretMark } from "../../host/same-secret.ts";
import { serverLeaseUs } from "../../host/server-membership.ts";
import type { Shards } from "../../host/shards.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export interface SaidController {
  /** What this server is called, and the controller. */
  readonly server: string;
  readonly name: string;
  /** Which others show that join below, and the file it is in; undefined when none may join. */
  readonly key: { readonly secret: string; readonly file: string } | undefined;
}

/** The name of an edge that says it: server, controller, mark of the key. */
const said = /^(.*)\/controller\/([^/]+)(?:\/(.*))?$/;
/** After which one that has lost its life says it again, milliseconds. */
const againMs = 1_000;

/**
 * Says it for as long as this server lives.
 * @returns what ends that
 * @throws CommandError when another server of the log has said something else
 */
export async function sayController(
  { server, name, key }: SaidController,
  shards: Shards,
): Promise<() => Promise<void>> {
  const ownMark = key && secretMark(key.secret);
  const edge = ["controller", name, ...(ownMark === undefined ? [] : [ownMark])].join("/");
  const check = (): void => {
    for (const other of shards.facts.livingEdges()) {
      const [, theirs = "", called, mark] = said.exec(other.name) ?? [];
      if (called === undefined || theirs === server) continue;
      if (called !== name) throw otherName({ theirs, called, name });
      if (mark !== undefined && key !== undefined && mark !== ownMark) {
        throw otherKey(theirs, key.file);
      }
    }
  };
  if (!shards.isShared) return () => Promise.resolve();
  check();
  let isClosed = false;
  const open = () => shards.connectEdge(edge, { onEffects: () => undefined, onClosed: openAgain });
  const openAgain = (): void => {
    shards.clock.after(againMs, () => {
      if (!isClosed) link = open();
    });
  };
  let link = open();
  const close = async (): Promise<void> => {
    isClosed = true;
    await link.close();
  };
  try {
    await untilSaid(shards, `${server}/${edge}`);
    // Of two that start at once the second in the log sees the first.
    check();
    return close;
  } catch (error) {
    await close();
    throw error;
  }
}

function untilSaid(shards: Shards, edge: string): Promise<void> {
  return new Promise((resolve) => {
    const stop = shards.observe(() => {
      if (!shards.facts.isAlive(edge)) return;
      stop();
      resolve();
    });
  });
}

function otherName(told: { theirs: string; called: string; name: string }): CommandError {
  const { theirs, called, name } = told;
  const why = `${theirs} says that it is ${called}, not ${name}`;
  const advice = "give --controller NAME, the same for all of them";
  const message = `the servers of a log are one controller: ${why}; ${advice}`;
  return new CommandError(exitCodes.usage, `${message}; ${ifDead(theirs)}`);
}

function otherKey(theirs: string, file: string): CommandError {
  const why = `${theirs}, which has the same log, has another key for those below than ${file}`;
  const advice = "give all servers of the log a copy of one file with --controllers-key";
  const message = `${why}; ${advice}`;
  return new CommandError(exitCodes.usage, `${message}; ${ifDead(theirs)}`);
}

/** The log does not tell one that has died from one that has had nothing to say since. */
function ifDead(theirs: string): string {
  const seconds = Math.ceil(serverLeaseUs / 1e6);
  return `if ${theirs} has died, it counts as living for up to ${seconds} s: start again then`;
}
