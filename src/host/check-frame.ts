// SPDX-License-Identifier: MIT
// Checks frames of an edge before anything is made of them. What goes into the log is read again at
// every restart, so a command of the wrong shape must not get there: the core would refuse to
// start. The shapes of commands and what who may say are beside it.
import type { ErrorCode } from "../core/code.ts";
import type { Command, Refuse } from "../core/command.ts";
import type { Limits } from "../core/limits.ts";
import { limitMessage } from "../core/limits.ts";
import { utf8Length } from "../core/text.ts";
import type { BatchFrame, EdgeCommand, EdgeFrame } from "../wire/link/frames.ts";
import { FrameError } from "../wire/link/frames.ts";
import { complaintOf, isBarrierPlace, isCommands, sessionChecks } from "./command-shapes.ts";
import { checkListening, checkLook, checkRight, type EdgeRights } from "./edge-rights.ts";
import {
  either,
  type Fields,
  isAbsent,
  isCount,
  isFields,
  isNumber,
  isText,
  isWellFormed,
  shape,
} from "./shape.ts";

interface Sender {
  readonly rights: EdgeRights;
}

/**
 * @param sender who this link belongs to, once it has said so.
 * @throws FrameError when the frame is not one an edge sends, or not one that this edge may send.
 */
export function checkEdgeFrame(
  frame: unknown,
  limits: Limits,
  sender: Sender | undefined,
): EdgeFrame {
  if (!isFields(frame)) throw new FrameError("a frame is not a JSON object");
  const { rights } = sender ?? {};
  if (rights?.kind === "session" && frame["kind"] === "batch" && isBatch(frame, limits)) {
    return checkSessionBatch(frame as unknown as BatchFrame, limits, rights);
  }
  const named = String(frame["kind"]);
  const isGood = Object.hasOwn(frameChecks, named) && frameChecks[named]?.(frame, limits) === true;
  if (!isGood) {
    throw new FrameError(`a frame of a wrong shape (kind ${JSON.stringify(named.slice(0, 64))})`);
  }
  const checked = frame as unknown as EdgeFrame;
  if (sender === undefined) return checked;
  if (isOfFeed(checked)) {
    if (sender.rights.kind !== "session") {
      throw new FrameError("subscriptions are for sessions", "rights");
    }
    if (checked.kind === "subscribe") checkListening(checked.scope, sender.rights);
    return checked;
  }
  const { kind } = sender.rights;
  const isLook = checked.kind === "describe" || checked.kind === "list-events";
  if ((checked.kind === "list-events" && kind === "sync") || (isLook && kind === "child")) {
    throw new FrameError(`a look that this edge may not take (${checked.kind})`, "rights");
  }
  if (checked.kind === "describe" || checked.kind === "list-events")
    checkLook(checked.scope, sender.rights);
  if (checked.kind === "batch") {
    for (const command of checked.commands) checkRight(command, sender.rights);
  }
  return checked;
}

function isOfFeed({ kind }: EdgeFrame): boolean {
  return kind === "subscribe" || kind === "taken" || kind === "unsubscribe";
}

/**
 * Anybody writes clients of sessions: one bad value is answered with an error and costs no other
 * wait.
 */
function checkSessionBatch(frame: BatchFrame, limits: Limits, rights: EdgeRights): BatchFrame {
  const commands = frame.commands.map((command) => admitCommand(command, limits));
  for (const command of commands) {
    if (!isWithin(command, limits)) throw new FrameError("a lease or an address is too long");
    if (command.kind !== "refuse") checkRight(command, rights);
  }
  return { kind: "batch", number: frame.number, commands };
}

const frameChecks: Readonly<Record<string, (frame: Fields, limits: Limits) => boolean>> = {
  hello: (frame, limits) =>
    shape({ format: isNumber, secret: either(isText, isAbsent), incarnation: isCount })(frame) &&
    shape({ nonce: either(isText, isAbsent), proof: either(isText, isAbsent) })(frame) &&
    shape({ edge: isText, acknowledged: isCount, seen: isCount })(frame) &&
    either(isText, isAbsent)(frame["scope"]) &&
    isWellFormed(frame) &&
    utf8Length(String(frame["edge"])) <= limits.nameBytesMax,
  batch: (frame, limits) =>
    shape({ number: isCount, commands: isCommands })(frame) &&
    (frame["commands"] as readonly Command[]).every((command) => isWithin(command, limits)) &&
    (frame["commands"] as readonly Command[]).length <= limits.entryCommandsMax,
  seen: (frame) => isCount(frame["sequence"]),
  clock: (frame) => isCount(frame["id"]),
  subscribe: shape({
    ...{ id: isCount, scope: isText, topic: isText },
    after: (value) => isCount(value) || isAbsent(value),
  }),
  taken: shape({ id: isCount, number: isCount }),
  unsubscribe: shape({ id: isCount }),
  "list-events": (frame) =>
    isCount(frame["id"]) && isText(frame["scope"]) && isCount(frame["after"]),
  describe: (frame) =>
    shape({ id: isCount, scope: isText, barrier: either(isText, isAbsent) })(frame) &&
    (isAbsent(frame["after"]) || isBarrierPlace(frame["after"])) &&
    (isAbsent(frame["max"]) || isCount(frame["max"])),
};

/** Bounds that the core does not check: what is beyond them must not reach the log. */
function isWithin(command: EdgeCommand, limits: Limits): boolean {
  if (command.kind === "attach") return (command.leaseUs ?? 1) <= limits.edgeLeaseUsMax;
  if (command.kind === "topic-publish") {
    const address = command.arrival?.who.address ?? "";
    return utf8Length(address) <= limits.nameBytesMax;
  }
  if (!("who" in command)) return true;
  return utf8Length(command.who.address) <= limits.nameBytesMax;
}

/** A batch in which only single commands can be wrong: whoever sent it is answered, and goes on. */
function isBatch(frame: Fields, { entryCommandsMax }: Limits): boolean {
  const { number, commands } = frame as { readonly number?: unknown; readonly commands?: unknown };
  return isCount(number) && Array.isArray(commands) && commands.length <= entryCommandsMax;
}

/** What stands in the log in place of a command that was refused at the door. */
export function refuse(command: unknown, code: ErrorCode, message: string): Refuse {
  const named = isFields(command) ? command["connection"] : undefined;
  const connection = isCount(named) ? (named as number) : 0;
  return { kind: "refuse", connection, code, message };
}

/** A session's `attach` is its handshake: one that is wrong ends it, as a wrong hello does. */
function admitCommand(command: unknown, limits: Limits): EdgeCommand {
  const complaint = complaintOf(command, sessionChecks) ?? complaintOfTexts(command);
  if (complaint === undefined) return admitMessage(command as EdgeCommand, limits);
  if (isFields(command) && command["kind"] === "attach") throw new FrameError(complaint);
  return refuse(command, "invalid", `${complaint}; see docs/reference/session.md`);
}

/** Names of GNUnet may be no UTF-8, and are kept by such halves: its clients alone know them. */
function complaintOfTexts(command: unknown): string | undefined {
  if (isWellFormed(command)) return undefined;
  const kind = String((command as Fields)["kind"]);
  return `${kind}: a name or text in it has half of a surrogate pair, which has no bytes`;
}

/** A message is checked before it is stored: what cannot be read must not get into a topic. */
function admitMessage(command: EdgeCommand, limits: Limits): EdgeCommand {
  if (command.kind !== "topic-publish") return command;
  if (utf8Length(command.message) > limits.messageBytesMax) {
    const what = `the message is too long: ${limitMessage(limits, "messageBytesMax")}`;
    return refuse(command, "limit", what);
  }
  try {
    JSON.parse(command.message);
    return command;
  } catch {
    return refuse(command, "invalid", "topic-publish: message is not JSON");
  }
}
