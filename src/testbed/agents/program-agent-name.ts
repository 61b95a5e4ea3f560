// SPDX-License-Identifier: MIT
// How events name the program agent of a node itself, as if it were one of its programs. Pure.
// [EMULAB-EVENTS 2.3, 4.3]

export function programAgentOf(node: string): string {
  return `__${node}_program-agent`;
}

/** Undefined for what names no program agent. */
export function nodeOfProgramAgent(object: string): string | undefined {
  return /^__(.+)_program-agent$/.exec(object)?.[1];
}
