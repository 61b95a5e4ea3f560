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
//   4  who signals a state and waits, below the root, waits until its signal has a number: it may
//      leave or be out of time, and its number comes first (B4, B9); before, what was reached
//      already was told after its leave, and what came meanwhile before the number. Who waited
//      when the controller above was lost is taken back there (W9)
//   5  the limits that decide are state, told in the log (told-limits.ts); before, each server
//      judged by what its own process was told, at every replay anew
//   6  several servers of a controller may carry its link up, one after the other: joins of a link
//      are counted, and of two carriers the one of the later join has it (M6); before, the one
//      whose word came last
//   7  what is said again over a link of a tree is what holds then (M7); before, what somebody had
//      taken back since was said as it had been, and then taken back. Who comes too late to a
//      quorum or roster hears the reason why it ended (B8); before, the outcome alone. A log has an
//      origin, by which the controller above knows a group of servers (M8); before, a group of
//      another log with its name and key took its place when it had lost its link. Who is missing
//      from a roster is said with the links that are cut (B10); before, what was heard last stood
//      as if it was of now. A roster that is over leaves no name at edges
//   8  a controller that forgets what went over the link of a group of servers, for another life of
//      theirs, takes a new life of its own at the join (M9); before, it did so when they had met,
//      and kept its life: a join of a life that was over, which came late, left the link stuck
//   9  of the arrivals with one key one counts, at whichever servers they are asked for
//      (keyed-arrivals.ts); before, each server knew only what it was asked itself
//  10  who changes the quorum of a tree hears anew from each controller below, of the quorum that
//      it is now, that it is reached (M10); before, what had been said of the one before held
//  11  who was added to a roster at a controller below is missing until that has said otherwise, of
//      the members and the phase that there are now, and so are all of a part that was lost (B10);
//      before, what it had said of the members and the phase before stood
//  12  of the requests with one key that make a quorum or a roster one counts (X5); before, each
//      did, also one that came when the barrier was over

/** The newest that this build can follow. */
export const coreVersionMax = 12;
/** From here on servers speak of snapshots in the log. */
export const snapshotsVersion = 2;
/** From here on other barriers than quorums go over a tree of controllers. */
export const treesVersion = 3;
/** From here on one who signals and waits below the root waits for the number; W9. */
export const statesVersion = 4;
/** From here on the limits that decide are those that the log says. */
export const toldLimitsVersion = 5;
/** From here on a controller below may be a group of servers. */
export const groupsVersion = 6;
/** From here on what is repeated over a link of a tree is what holds then (M7). */
export const repeatsVersion = 7;
/** From here on a log that joins a controller above has an origin, which its claims say (M8). */
export const originsVersion = 7;
/** From here on who is missing from a roster is said with the links that are cut (B10). */
export const cutsVersion = 7;
/** From here on no edge keeps the name of a roster that is over. */
export const namesGoVersion = 7;
/** From here on the reason why a quorum or roster ended is remembered (B8). */
export const endReasonsVersion = 7;
/** From here on who forgets a life of a group below has a new life for the next (M9). */
export const newLivesVersion = 8;
/** From here on of the arrivals with one key one counts. */
export const keysVersion = 9;
/** From here on a quorum that is changed is reached anew at each controller below (M10). */
export const requotesVersion = 10;
/** From here on what is said of who is missing from a part is of the members that it has (B10). */
export const newMembersVersion = 11;
/** From here on of those with one key that make a quorum or a roster one counts. */
export const makesVersion = 12;

/** The log asks for what this build does not know; nothing of the entry has left the core. */
export class CannotFollow extends Error {
  override readonly name = "CannotFollow";

  constructor(version: number, sequence: number) {
    const raises = `entry ${sequence} raises the log to version ${version}`;
    const known = `this build knows versions up to ${coreVersionMax}`;
    super(`${raises}, and ${known}; start the newer build in its place`);
  }
}
