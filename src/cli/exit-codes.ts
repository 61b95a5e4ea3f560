// SPDX-License-Identifier: MIT
// Exit statuses of `muster`, as in docs/reference/cli.md. The old tools keep their own (docs/man).

export const exitCodes = {
  /** Everything asked for was done; for a run: it passed. */
  ok: 0,
  /** The run failed: a program, a barrier or a check. For `parse`: the file is refused. */
  failed: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The experiment file is refused, so nothing was run. */
  refused: 65,
  /** The experiment file cannot be read. */
  noInput: 66,
  /**
   * Something is not there that is needed besides: no server answers, or nothing to copy to hosts.
   */
  unavailable: 69,
  /** A fault of Muster itself. */
  internal: 70,
  /** The output directory cannot be made or holds results already; a result cannot be written. */
  cannotCreate: 73,
  /** Standard output cannot be written. */
  cannotWrite: 74,
  /** `exec`, `shell`: there is no such node, or no way into it; no status that a command has. */
  notEntered: 125,
  /** Ended by SIGINT (Ctrl-C). */
  interrupted: 130,
  /** Ended by SIGTERM. */
  terminated: 143,
} as const;
