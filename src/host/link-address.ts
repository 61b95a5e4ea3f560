// SPDX-License-Identifier: MIT
// Names of the UNIX sockets of a core. `@NAME` is a socket in the abstract name space: it belongs
// to the network name space, so that processes with another root directory reach it, and it is gone
// with its process, also after kill -9. It has no file permissions; the secret of the link guards
// it. Anything else is a path.

/** What node:net takes for a socket named so. */
export function socketPath(name: string): string {
  return name.startsWith("@") ? `\0${name.slice(1)}` : name;
}
