// SPDX-License-Identifier: MIT
// Tells the configuration server how a start command ended, as `tmcc startstatus N` does.
import { askTmcd } from "../../client/tmcc.ts";
import { systemClock } from "../../host/clock.ts";
import { parseTmccArguments } from "./tmcc-arguments.ts";
import { findTargets, findTls, readIfThere, resolveHost } from "./tmcc-server.ts";

/** A start command does not wait longer than this for a server that says nothing. */
const silenceMs = 5_000;

/** @returns why the server does not know it, or undefined. */
export async function reportStartStatus(
  status: string,
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const words = ["startstatus", status];
  const given = parseTmccArguments(words);
  if (given.kind === "exit") return given.stderr;
  const targets = await findTargets(given, environment, readIfThere);
  if ("code" in targets) return targets.stderr?.trim();
  const tls = targets[0]?.kind === "unix" ? undefined : findTls(given, environment, readIfThere);
  const outcome = await askTmcd({
    request: { words, version: given.version },
    targets,
    timeoutMs: silenceMs,
    resolve: resolveHost,
    runtime: systemClock,
    ...(tls === undefined ? {} : { tls }),
  });
  if (outcome.kind === "reply") return undefined;
  return outcome.kind === "failed" ? outcome.message : `the server said nothing: ${outcome.kind}`;
}
