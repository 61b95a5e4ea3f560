// SPDX-License-Identifier: MIT
// The door of a run for native clients: its programs meet at the barriers of its file by the client
// library, `muster barrier` or `curl`. It listens on loopback, which all nodes of a run share, at a
// port of the system's choice, and asks for a token that only programs of the run are given.

import {
  createHttpDoor,
  formatToken,
  hashSecret,
  mountCore,
  type TokenRow,
} from "../edges/http/index.ts";
import type { Host } from "../host/host.ts";
import { newSecret } from "../host/ids.ts";
import type { ShaperHealth } from "../network/link-report.ts";
import { addLinkMetrics } from "./link-metrics.ts";
import type { RunOptions } from "./run-options.ts";

const tokenId = "run";

export interface RunDoor {
  /** What programs are given. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  close(): Promise<void>;
}

/** @throws Error when there is no port. */
export async function openRunDoor(
  { clock, logger }: Pick<RunOptions, "clock" | "logger">,
  of: {
    readonly host: Host;
    readonly scope: string;
    /** Of who shapes its links, where somebody can tell. */
    readonly health: () => ShaperHealth | undefined;
  },
): Promise<RunDoor> {
  const { host, scope } = of;
  const secret = newSecret();
  const createdMs = clock.wallMs();
  const row: TokenRow = {
    ...{ id: tokenId, hash: hashSecret(secret), role: "participant", scope },
    ...{ expiresMs: null, createdMs, note: "programs of the run" },
  };
  const rows = new Map([[tokenId, row]]);
  const door = createHttpDoor({ clock, logger, access: { tokens: { rows: () => rows } } });
  const leave = mountCore({ door, host, clock, logger, edge: "http" });
  addLinkMetrics(door.metrics, () => {
    const health = of.health();
    return health === undefined ? [] : [{ experiment: scope, health }];
  });
  const { url } = await door.listen({ host: "127.0.0.1", port: 0 });
  return {
    environment: [
      ["MUSTER_SERVER", url],
      ["MUSTER_SCOPE", scope],
      ["MUSTER_TOKEN", formatToken(tokenId, secret)],
    ],
    async close() {
      await door.close();
      await leave();
    },
  };
}
