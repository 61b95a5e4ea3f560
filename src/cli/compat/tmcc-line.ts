// SPDX-License-Identifier: MIT
// What every request of one tmcc command line has in common: whom it asks, and as whom.
import type { TmccTarget } from "../../client/tmcc-attempt.ts";
import type { Exit } from "./exit.ts";
import type { TmccArguments } from "./tmcc-arguments.ts";
import { findPrivateKey, findTargets, findTls, readIfThere } from "./tmcc-server.ts";

export interface Line {
  readonly targets: readonly TmccTarget[];
  readonly tls: ReturnType<typeof findTls>;
  readonly privateKey: string | undefined;
}

/** @returns why there is nobody to ask, or no key to ask with */
export async function openLine(
  given: TmccArguments,
  environment: NodeJS.ProcessEnv,
): Promise<Line | Exit> {
  const privateKey = findPrivateKey(given, readIfThere);
  if (typeof privateKey === "object") return privateKey;
  const targets = await findTargets(given, environment, readIfThere);
  if ("code" in targets) return targets;
  const isProxied = targets[0]?.kind === "unix";
  return {
    targets,
    tls: isProxied ? undefined : findTls(given, environment, readIfThere),
    // The proxy says who asks.
    privateKey: isProxied ? undefined : privateKey,
  };
}
