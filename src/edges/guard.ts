// SPDX-License-Identifier: MIT
// Who may come to a door, by network: the one guard of all doors, and the warning about a door that
// is open to others and asks nobody who he is. A door takes it in two lines:
//
//   const guard = createGuard({ door: "syncd", networks, logger });
//   if (!guard.admits(socket.remoteAddress)) socket.destroy();
//
//   U1. Without networks everybody may come. With them who is in none of them is told nothing.
//   U2. Strangers cannot fill the log: the first refusal is a warning, the others are details.
import type { Logger } from "../host/logger.ts";
import { isInNetworks, isLoopbackAddress, type Network } from "../wire/networks.ts";

export interface GuardOptions {
  /** Its name as of --listen: it is in every message. */
  readonly door: string;
  /** From where one may come; everybody when empty. */
  readonly networks: readonly Network[];
  readonly logger: Logger;
  /** Told of each who is turned away. */
  readonly onRefused?: () => void;
  /** How he is let in, where that is not said by `--allow`. */
  readonly advice?: string;
}

export interface Guard {
  /** @param peerAddress of the socket; undefined for one that is gone already. */
  admits(peerAddress: string | undefined): boolean;
  /** Turned away so far. */
  readonly refusedCount: number;
}

export function createGuard(options: GuardOptions): Guard {
  const { door, networks, logger, onRefused } = options;
  const { advice = `let it in with --allow ${door}=NETWORK` } = options;
  let refusedCount = 0;
  return {
    get refusedCount() {
      return refusedCount;
    },
    admits(peerAddress) {
      if (networks.length === 0) return true; // U1.
      if (peerAddress !== undefined && isInNetworks(peerAddress, networks)) return true;
      refusedCount += 1;
      onRefused?.();
      const from = peerAddress ?? "an unknown address";
      const message = `the ${door} door has turned ${from} away: it is in none of its networks`;
      if (refusedCount === 1) {
        logger.log("warn", `${message}; ${advice}. More of them are not told`);
      } else logger.log("debug", message); // U2.
      return false;
    },
  };
}

export interface OpenDoor {
  readonly door: string;
  /** Where it listens. */
  readonly address: string;
  readonly networks: readonly Network[];
  /** Who comes must show a certificate. */
  readonly asksForCertificates?: boolean;
  readonly logger: Logger;
}

/** A door whose protocol has no authentication, opened to a network: said once, when it opens. */
export function warnOfOpenDoor(open: OpenDoor): void {
  const { door, address, networks, asksForCertificates = false, logger } = open;
  if (isLoopbackAddress(address) || networks.length > 0 || asksForCertificates) return;
  const advice = `say who may with --allow ${door}=NETWORK, or let it listen on loopback`;
  logger.log("warn", `whoever reaches the ${door} door at ${address} may use it; ${advice}`);
}
