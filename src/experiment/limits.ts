// SPDX-License-Identifier: MIT
// Every bound on reading an experiment file, with its unit. A file is untrusted input: whatever it
// says, reading it ends within these bounds with a diagnostic that names the bound.

/** Commands and expressions one file may run. Long values count as several (see `stepBytes`). */
export const tclStepsMax: number = 10_000_000;

/** One extra step is charged per this many bytes of arguments: long values cost time too. */
export const stepBytes: number = 4_096;

/** Characters a command may look at for one step, when it looks at each of them. */
export const scanBytes: number = 16;

/** Bytes of value memory: text in variables, procedure bodies and values under construction. */
export const tclMemoryBytesMax: number = 64 * 1024 * 1024;

/** Bytes charged for a variable or array element besides its text. */
export const variableOverheadBytes: number = 256;

/** Bytes charged for one word of a script that was read but not yet run. */
export const wordOverheadBytes: number = 128;

/** Bytes charged for an element of a list besides its text, while the list is taken apart. */
export const elementOverheadBytes: number = 16;

/** Nested scripts: procedures, bodies, command substitutions, parentheses in expressions. */
export const tclDepthMax: number = 200;

/** Bytes of an experiment file. */
export const fileBytesMax: number = 4 * 1024 * 1024;

/** Bytes a file may print with `puts`. */
export const outputBytesMax: number = 1024 * 1024;

/** Bits of an integer in an expression. */
export const integerBitsMax: number = 4_096;

/** Times one experiment may run another file with `source`. */
export const sourcedFilesMax: number = 256;

/** Characters of the text that a regular expression may look at, times its length, for one step. */
export const regexpWorkPerStep: number = 64;

/** Elements of a compiled regular expression, repetitions written out. */
export const regexpSizeMax: number = 2_000;

/** Events of one experiment. [EMULAB-NS 7] */
export const eventsMax: number = 14_000;

/** Events of one timeline or sequence. [EMULAB-NS 7] */
export const timelineEventsMax: number = 4_000;

/** Objects (nodes, links, queues, agents, programs, ...) of one experiment. */
export const objectsMax: number = 100_000;

/** Ends of links and LANs of one experiment. */
export const linkMembersMax: number = 50_000;

/** Findings reported for one file; the rest is counted. */
export const diagnosticsMax: number = 100;

/** Characters of a line of another file that a finding carries along. */
export const excerptSourceMax: number = 2_000;

/** Characters of a source line that a formatted diagnostic shows. */
export const excerptCharactersMax: number = 160;

/** Bytes of a packet that a trace can keep: the largest there is. */
export const traceBytesMax: number = 65_535;

const relations: readonly (readonly [holds: boolean, rule: string])[] = [
  [fileBytesMax * 2 <= tclMemoryBytesMax, "a whole file fits into a variable, twice"],
  [outputBytesMax <= tclMemoryBytesMax, "what is printed was a value before"],
  [timelineEventsMax <= eventsMax, "one timeline holds a part of all events"],
  [eventsMax < objectsMax, "each event may have its own object"],
  [tclStepsMax > objectsMax, "creating an object takes at least a step"],
  [tclMemoryBytesMax / stepBytes < tclStepsMax, "the longest value may be used at least once"],
  [scanBytes <= stepBytes, "looking at every character costs more than passing a value"],
  [integerBitsMax / 3 < tclMemoryBytesMax, "the longest integer can be printed"],
];
for (const [holds, rule] of relations) {
  if (!holds) throw new Error(`limits.ts: ${rule}`);
}
