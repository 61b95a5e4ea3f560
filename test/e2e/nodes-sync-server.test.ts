// SPDX-License-Identifier: MIT
// Goal: programs beside the sync server of a run find no key to the run's core.
// Method: a program on the server's node looks at every environment and at the boot directory.
import { expect, test } from "vitest";
import { nodesWith, runBody, sh } from "./support/experiment.ts";

const look =
  'cat /proc/[0-9]*/environ 2>/dev/null | tr "\\\\0" "\\\\n" | grep ^MUSTER_CORE > $EXPDIR/tmp/found; ' +
  "ls $MUSTER_BOOT > $EXPDIR/tmp/boot";

test("the secret of the sync server is in no environment and no file", async () => {
  const ran = await runBody(nodesWith(sh(`emulab-sync -i 1; ${look}`), "emulab-sync"));
  expect(ran.result.outcome).toBe("passed");
  // The server is seen, so that what is not there would be seen as well.
  expect(ran.text("proj/tmp/found")).toContain("MUSTER_CORE_SOCKET=");
  expect(ran.text("proj/tmp/found")).not.toMatch(/SECRET=/);
  expect(ran.text("proj/tmp/boot")).toContain("nickname");
  expect(ran.text("proj/tmp/boot")).not.toContain("secret");
});
