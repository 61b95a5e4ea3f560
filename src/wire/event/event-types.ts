// SPDX-License-Identifier: MIT
// The words of the event system: which object types and event types there are, and which events
// somebody completes. [EMULAB-EVENTS 1.8, 2.8] Not what an object does with them.

/** Classes of objects that the old name check knows. [EMULAB-EVENTS 1.8] */
export const objectTypes: ReadonlySet<string> = new Set([
  ...["TBCONTROL", "TBNODESTATE", "TBNODEOPMODE", "LINK", "TRAFGEN", "TIME", "PROGRAM", "FRISBEE"],
  ...["SIMULATOR", "LINKTEST", "NSE", "CANARYD", "NODE", "GROUP", "TIMELINE", "SEQUENCE"],
  ...["CONSOLE", "TOPOGRAPHY", "LINKTRACE", "EVPROXY", "BGMON"],
]);

/** Verbs, states and modes that `tevc` takes; compared with the case they have here. */
export const eventTypes: ReadonlySet<string> = new Set([
  // Verbs.
  ...["START", "STOP", "KILL", "ISUP", "REBOOT", "UP", "DOWN", "UPDATE", "MODIFY", "SET", "RESET"],
  ...["HALT", "SWAPOUT", "NSESWAP", "NSEEVENT", "REPORT", "ALERT", "SETDEST", "SNAPSHOT", "RELOAD"],
  ...["COMPLETE", "CLEAR", "DEBUG", "LOG", "MESSAGE", "RUN", "CREATE", "STOPRUN"],
  // States of a node.
  ...["REBOOTED", "REBOOTING", "SHUTDOWN", "BOOTING", "TBSETUP", "RELOADSETUP", "RELOADING"],
  ...["RELOADDONE", "RELOADDONEV2", "UNKNOWN"],
  // Modes of an operating system.
  ...["NORMAL", "DELAYING", "UNKNOWNOS", "NORMALv1", "MINIMAL", "DELAY", "_BOOTWHAT_"],
  "TIMEOUT",
]);
