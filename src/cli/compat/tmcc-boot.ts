// SPDX-License-Identifier: MIT
// `tmcc --boot`: what a node asks when it boots, and the files it makes of the answers.
// [EMULAB-TMCD 13]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Ask, bootNode, syncServiceName } from "../../client/tmcc-boot.ts";
import { fillCache } from "../../client/tmcc-cache.ts";
import { errorText } from "../../core/text.ts";
import type { Exit } from "./exit.ts";
import { exitCodes } from "./tmcc-arguments.ts";

/** What does not belong to everybody on the node. */
const secrets = ["eventkey"];

/**
 * Fetches everything, writes the boot files and the command cache, and reports ISUP, or TBFAILED
 * when an answer does not fit or a file cannot be written.
 */
export async function bootHere(ask: Ask, boot: string, cache: string): Promise<Exit> {
  try {
    const result = await bootNode({ ask, syncService: syncServiceName });
    if (result.kind === "free") return { kind: "exit", code: exitCodes.ok, stdout: "FREE\n" };
    const { files, cache: parts } = result.facts;
    mkdirSync(boot, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(boot, name), text, { mode: secrets.includes(name) ? 0o600 : 0o644 });
    }
    fillCache(cache, parts);
    await ask(["state", "ISUP"]);
    return { kind: "exit", code: exitCodes.ok };
  } catch (error) {
    await ask(["state", "TBFAILED"]).catch(() => undefined);
    const stderr = `tmcc: the boot failed: ${errorText(error)}\n`;
    return { kind: "exit", code: exitCodes.failed, stderr };
  }
}
