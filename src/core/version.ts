// SPDX-License-Identifier: MIT
// Versions of what the core decides (D12). A log begins with version 1 and is raised by an entry,
// when every living server offers the next: so all servers of a log decide alike, whichever builds
// they are. A build that changes a decision, or what servers say in the log, adds a version and
// keeps the behaviour of those before it.
//
//   1  the first
//   2  servers tell each other which snapshots there are, and what they have reached (D11)
//   3  counts and rosters of a scope that is joined to a tree of controllers are those of the whole
//      tree (D9); before, each controller had its own

/** The newest that this build can follow. */
export const coreVersionMax = 3;
/** From here on servers speak of snapshots in the log. */
export const snapshotsVersion = 2;
/** From here on other barriers than quorums go over a tree of controllers. */
export const treesVersion = 3;

/** The log asks for what this build does not know; nothing of the entry has left the core. */
export class CannotFollow extends Error {
  override readonly name = "CannotFollow";

  constructor(version: number, sequence: number) {
    const raises = `entry ${sequence} raises the log to version ${version}`;
    const known = `this build knows versions up to ${coreVersionMax}`;
    super(`${raises}, and ${known}; start the newer build in its place`);
  }
}
