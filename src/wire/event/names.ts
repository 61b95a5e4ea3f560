// SPDX-License-Identifier: MIT
// The names of object types and events that the old system knew, and their numbers in its tables.
// Data; nothing here refuses anything. [EMULAB-EVENTS 1.8]

/** Object types that the old library took by name. */
export const objectTypes: readonly string[] = [
  ...["TBCONTROL", "TBNODESTATE", "TBNODEOPMODE", "LINK", "TRAFGEN", "TIME", "PROGRAM", "FRISBEE"],
  ...["SIMULATOR", "LINKTEST", "NSE", "CANARYD", "NODE", "GROUP", "TIMELINE", "SEQUENCE"],
  ...["CONSOLE", "TOPOGRAPHY", "LINKTRACE", "EVPROXY", "BGMON"],
];

/** Used, and not in its list. */
export const unlistedObjectTypes: readonly string[] = ["TBEXPTSTATE", "PLABSCHED", "SLOTHD"];

/** What the testbed tells itself, on a bus of its own. [EMULAB-EVENTS 7.8] */
export const testbedObjectTypes: readonly string[] = [
  ...["TBCONTROL", "TBNODESTATE", "TBNODEOPMODE", "TBEXPTSTATE", "TBCOMMAND"],
];

/** Those of the first release. */
export const objectTypes2004: readonly string[] = objectTypes.slice(0, 12);

const verbs: readonly string[] = [
  ...["START", "STOP", "KILL", "ISUP", "REBOOT", "UP", "DOWN", "UPDATE", "MODIFY", "SET", "RESET"],
  ...["HALT", "SWAPOUT", "NSESWAP", "NSEEVENT", "REPORT", "ALERT", "SETDEST", "SNAPSHOT", "RELOAD"],
  ...["COMPLETE", "CLEAR", "DEBUG", "LOG", "MESSAGE", "RUN", "CREATE", "STOPRUN"],
];

const nodeStates: readonly string[] = [
  ...["REBOOTED", "REBOOTING", "SHUTDOWN", "BOOTING", "TBSETUP", "RELOADSETUP", "RELOADING"],
  ...["RELOADDONE", "RELOADDONEV2", "UNKNOWN"],
];

const opModes: readonly string[] = [
  ...["NORMAL", "DELAYING", "UNKNOWNOS", "NORMALv1", "MINIMAL", "RELOAD", "DELAY", "_BOOTWHAT_"],
];

/** Event types that `tevc` took: verbs, states of nodes, modes, and TIMEOUT. */
export const eventTypes: readonly string[] = [
  ...new Set([...verbs, ...nodeStates, ...opModes, "TIMEOUT"]),
];

const verbsSince2004 = [
  ...["UPDATE", "SETDEST", "SNAPSHOT", "RELOAD", "COMPLETE", "CLEAR", "DEBUG", "LOG", "MESSAGE"],
  ...["RUN", "CREATE", "STOPRUN"],
];

/** Verbs of the first release. */
export const verbs2004: readonly string[] = verbs.filter((verb) => !verbsSince2004.includes(verb));

/** Object types by their number in the database. */
export const objectTypeCodes: readonly string[] = [
  ...["TBCONTROL", "LINK", "TRAFGEN", "TIME", "PROGRAM", "FRISBEE", "SIMULATOR", "LINKTEST"],
  ...["NSE", "SLOTHD", "NODE", "SEQUENCE", "TIMELINE", "CONSOLE", "TOPOGRAPHY", "LINKTRACE"],
  ...["EVPROXY", "BGMON"],
];

/** Event types by their number in the database. */
export const eventTypeCodes: readonly string[] = [
  ...["REBOOT", "START", "STOP", "UP", "DOWN", "UPDATE", "MODIFY", "SET", "TIME", "RESET", "KILL"],
  ...["HALT", "SWAPOUT", "NSEEVENT", "REPORT", "ALERT", "SETDEST", "COMPLETE", "MESSAGE", "LOG"],
  ...["RUN", "SNAPSHOT", "RELOAD", "CLEAR", "CREATE", "STOPRUN"],
];

/** Trigger types by their number; 1 was never used. */
export const triggerTypeCodes: ReadonlyMap<number, string> = new Map([
  [0, "TIMER"],
  [2, "SWAPOUT"],
]);
