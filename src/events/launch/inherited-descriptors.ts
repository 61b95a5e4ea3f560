// SPDX-License-Identifier: MIT
// Descriptors that a process was born with and would hand on. Whoever runs the launcher may have
// left a file of root open; the scheduler of a user must not find it.
import { closeSync, readdirSync, readFileSync } from "node:fs";

const closeOnExec = 0o2000000;

/** Closes all above `last` that a child would inherit. What Node opens itself, none inherits. */
export function closeInheritedDescriptors(last: number): void {
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor > last && isInheritable(descriptor)) closeSync(descriptor);
  }
}

function isInheritable(descriptor: number): boolean {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8");
    const flags = Number.parseInt(/^flags:\s+([0-7]+)$/m.exec(text)?.[1] ?? "0", 8);
    return (flags & closeOnExec) === 0;
  } catch {
    return false; // That of the listing itself.
  }
}
