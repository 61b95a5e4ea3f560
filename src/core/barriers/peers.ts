// SPDX-License-Identifier: MIT
// The peers of a controller: whom a percentage is of. Registered by name, or a number that stands
// for as many that are not named.
import type { Limits } from "../limits.ts";
import type { Refusal } from "../refusal.ts";
import { invalid, overLimit } from "../refusal.ts";
import { utf8Length } from "../text.ts";
import type { PeerRegister, PeersSet } from "./commands.ts";
import { isInteger } from "./common.ts";

export class Peers {
  readonly names: Set<string> = new Set();
  /** Peers beside those that are named. */
  unnamed = 0;

  get size(): number {
    return this.names.size + this.unnamed;
  }
}

/** Why the peers stay as they are, if they do. */
export function peersRefusal(
  peers: Peers,
  command: PeerRegister | PeersSet,
  limits: Limits,
): Refusal | undefined {
  const { peersPerScopeMax } = limits;
  if (command.kind === "peers-set") {
    const { count } = command;
    if (!isInteger(count, 0)) return invalid(`peers are a number, 0 or more, not ${count}`);
    if (peers.names.size + count <= peersPerScopeMax) return undefined;
    return overLimit(limits, "peersPerScopeMax", "too many peers");
  }
  const { peer } = command;
  const isKnown = peers.names.has(peer);
  if (command.kind === "peer-deregister") {
    return isKnown ? undefined : { code: "unknown", message: `no peer ${peer} is registered` };
  }
  if (peer === "") return invalid("the peer has no name");
  if (isKnown) return invalid(`a peer ${peer} is registered already`);
  if (utf8Length(peer) > limits.nameBytesMax) {
    return overLimit(limits, "nameBytesMax", "the peer's name is too long");
  }
  if (peers.size < peersPerScopeMax) return undefined;
  return overLimit(limits, "peersPerScopeMax", "too many peers");
}

/** What `peersRefusal` has nothing against. */
export function changePeers(peers: Peers, command: PeerRegister | PeersSet): void {
  if (command.kind === "peers-set") peers.unnamed = command.count;
  else if (command.kind === "peer-register") peers.names.add(command.peer);
  else peers.names.delete(command.peer);
}
