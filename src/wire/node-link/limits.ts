// SPDX-License-Identifier: MIT
// Bounds of the link between a run and the agent of another machine, with their units.
// docs/reference/limits.md lists them.

export const nodeLinkLimits = {
  /** One frame; an experiment that is larger as JSON does not fit a host. */
  frameBytesMax: 16_777_216,
  /** What the shell over there may print before the agent says its first word. */
  noiseBytesMax: 65_536,
  /** Connections that are carried at once, and outputs and files that are open. */
  streamsMax: 8_192,
  /** What one carried connection may have on its way, not taken by its far end. */
  windowBytes: 262_144,
  /** Callers by UDP that one door remembers; the oldest goes first. */
  udpCallersMax: 1_024,
  /** For the agent to say its first word, when it need not be copied. */
  helloMs: 60_000,
  /** For the agent to be copied to the host. */
  copyMs: 600_000,
  /** For one answer; bringing many nodes up takes a while. */
  answerMs: 120_000,
  /** Between two comparisons of clocks, which are also the signs of life. */
  clockMs: 2_000,
  /** Silence after which the other side is lost. */
  silenceMs: 15_000,
  /** Files beside the experiment file that go to each host, where the file speaks of them. */
  projectFilesMax: 10_000,
  projectBytesMax: 268_435_456,
  /** Files that a host gives back; more are left there, which is said. */
  filesMax: 100_000,
  /** All these files together. */
  filesBytesMax: 4_294_967_296,
} as const;
