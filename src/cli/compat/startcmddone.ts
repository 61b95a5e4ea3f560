// SPDX-License-Identifier: MIT
// `startcmddone STATUS`: what start commands are wrapped with, so that the testbed learns how they
// ended. Tells the configuration server, where the boot files name one, and leaves the status
// beside them; a run of Muster sees the exit status of its programs itself. [EMULAB-TMCD 9]
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performExit } from "./exit.ts";
import { bootFolder } from "./tmcc-server.ts";

/** What is reported for anything that is not digits. */
const notANumber = "666";

const usage = `usage: startcmddone STATUS
 Tells the testbed that the start command has ended with this exit status.
`;

const [status = ""] = process.argv.slice(2);
if (status === "--help") performExit({ kind: "exit", code: 0, stdout: usage });

const reported = /^[0-9]+$/.test(status) ? status : notANumber;
const boot = bootFolder(process.env);
try {
  writeFileSync(join(boot, "startstatus"), `${reported}\n`);
} catch (error) {
  process.stderr.write(`startcmddone: cannot report status ${reported}: ${String(error)}\n`);
  process.exitCode = 1;
}
if (process.env["MUSTER_BOOT"] !== undefined && existsSync(join(boot, "bossnode"))) {
  const { reportStartStatus } = await import("./start-status.ts");
  const failure = await reportStartStatus(reported, process.env);
  // The file has it, and a start command does not fail because nobody listened.
  if (failure !== undefined) process.stderr.write(`startcmddone: not reported: ${failure}\n`);
}
