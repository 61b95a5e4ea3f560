// SPDX-License-Identifier: MIT
// The states of a node: what may follow what in each mode of operation, and how long a state may
// last. Pure. The names are the old system's [EMULAB-EVENTS 1.8] [EMULAB-TMCD 16]; which may follow
// which is decided here, because nobody wrote the old table down.
//
//   T1. A state that is reported again is no transition, and is allowed.
//   T2. From everywhere a node can become UNKNOWN, and from there it can be anything.
//   T3. From every state of a mode a node can go down, and come up from there: nothing is stuck.

export const nodeStates = [
  "SHUTDOWN",
  "REBOOTING",
  "REBOOTED",
  "BOOTING",
  "TBSETUP",
  "ISUP",
  "TBFAILED",
  "RELOADSETUP",
  "RELOADING",
  "RELOADDONE",
  "RELOADDONEV2",
  "UNKNOWN",
] as const;
export type NodeState = (typeof nodeStates)[number];

export const opModes = [
  "NORMAL",
  "NORMALv1",
  "DELAYING",
  "DELAY",
  "MINIMAL",
  "UNKNOWNOS",
  "_BOOTWHAT_",
  "RELOAD",
] as const;
export type OpMode = (typeof opModes)[number];

/** Mode of a node that nobody has put into another. */
export const defaultOpMode: OpMode = "NORMAL";
/** State of a node that an experiment has just got. */
export const firstNodeState: NodeState = "SHUTDOWN";

type Table = Readonly<Partial<Record<NodeState, readonly NodeState[]>>>;

const down: readonly NodeState[] = ["SHUTDOWN", "REBOOTING"];
/** A node that crashes is seen first when it boots again. */
const downOrAgain: readonly NodeState[] = [...down, "REBOOTED", "BOOTING"];

const fromDown: Table = {
  SHUTDOWN: ["REBOOTING", "REBOOTED", "BOOTING"],
  REBOOTING: ["SHUTDOWN", "REBOOTED", "BOOTING"],
  REBOOTED: [...down, "BOOTING"],
};

/** Boots, is set up by its boot scripts, and is up. */
const normal: Table = {
  ...fromDown,
  BOOTING: [...down, "REBOOTED", "TBSETUP"],
  TBSETUP: [...downOrAgain, "ISUP", "TBFAILED"],
  ISUP: downOrAgain,
  TBFAILED: downOrAgain,
};

/** Has no boot scripts that would report. */
const minimal: Table = {
  ...fromDown,
  BOOTING: [...down, "REBOOTED", "ISUP"],
  ISUP: downOrAgain,
};

/** Boots a small system that writes the disk. */
const reload: Table = {
  ...fromDown,
  BOOTING: [...down, "REBOOTED", "RELOADSETUP"],
  RELOADSETUP: [...downOrAgain, "RELOADING"],
  RELOADING: [...downOrAgain, "RELOADDONE", "RELOADDONEV2"],
  RELOADDONE: downOrAgain,
  RELOADDONEV2: downOrAgain,
};

const tables: Readonly<Record<OpMode, Table>> = {
  NORMAL: normal,
  NORMALv1: normal,
  DELAYING: normal,
  DELAY: normal,
  MINIMAL: minimal,
  UNKNOWNOS: minimal,
  _BOOTWHAT_: minimal,
  RELOAD: reload,
};

/** Seconds after which a node that is still in the state is told of; others may last. */
export const stateSecondsMax: Readonly<Partial<Record<NodeState, number>>> = {
  REBOOTING: 120,
  REBOOTED: 180,
  BOOTING: 180,
  TBSETUP: 600,
  RELOADSETUP: 180,
  RELOADING: 1_800,
  RELOADDONE: 120,
  RELOADDONEV2: 120,
};

export type PlannedState =
  | { readonly kind: "changed"; readonly to: NodeState }
  /** T1. */
  | { readonly kind: "repeated" }
  | { readonly kind: "refused"; readonly message: string };

/** Whether node `name` may go from one state to the one it reports. */
export function planNodeState(
  name: string,
  mode: OpMode,
  from: NodeState,
  reported: string,
): PlannedState {
  if (!isNodeState(reported)) {
    const message = `${name} reports ${reported}, which is no state; it stays ${from}`;
    return { kind: "refused", message };
  }
  if (reported === from) return { kind: "repeated" };
  const table = tables[mode];
  const isOfMode = reported in table || reported === "UNKNOWN";
  const allowed = from === "UNKNOWN" ? isOfMode : (table[from]?.includes(reported) ?? false); // T2.
  if (allowed || reported === "UNKNOWN") return { kind: "changed", to: reported };
  // A mode may change under a node: what its old mode knew, a node leaves by going down.
  if (table[from] === undefined && down.includes(reported))
    return { kind: "changed", to: reported };
  const may = [...(table[from] ?? down), "UNKNOWN"].join(", ");
  const message = `${name} reports ${reported}, but is ${from} in mode ${mode}, from where it may become ${may}; it stays ${from}`;
  return { kind: "refused", message };
}

export function isNodeState(text: string): text is NodeState {
  return nodeStates.some((state) => state === text);
}

export function isOpMode(text: string): text is OpMode {
  return opModes.some((mode) => mode === text);
}
