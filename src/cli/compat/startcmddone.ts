// SPDX-License-Identifier: MIT
// `startcmddone STATUS`: what start commands are wrapped with, so that the testbed learns how they
// ended. In a run Muster sees the exit status itself; this keeps scripts that call it working and
// leaves the status beside the node's boot files. [EMULAB-TMCD startstatus]
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** What is reported for anything that is not digits. */
const notANumber = "666";

const [status = ""] = process.argv.slice(2);
const reported = /^[0-9]+$/.test(status) ? status : notANumber;
const boot = process.env["MUSTER_BOOT"] ?? "/var/emulab/boot";
try {
  writeFileSync(join(boot, "startstatus"), `${reported}\n`);
} catch (error) {
  process.stderr.write(`startcmddone: cannot report status ${reported}: ${String(error)}\n`);
  process.exitCode = 1;
}
