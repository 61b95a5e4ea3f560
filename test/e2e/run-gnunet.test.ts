// SPDX-License-Identifier: MIT
// Goal: C programs that use GNUnet's library work in a run as they are: a driver on one node, peers
// on all of them, and the result says who met. Method: a real run, programs compiled beside its
// file.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { repository, scratch, start } from "./support/command.ts";
import { ended, writeExperiment } from "./support/experiment.ts";

const run = promisify(execFile);

/** Compiles the clients of test/conformance/gnunet into a directory. */
async function compile(directory: string): Promise<void> {
  for (const name of ["waiter", "driver"]) {
    const source = join(repository, "test/conformance/gnunet", `${name}.c`);
    const libraries = ["-lgnunettestbed", "-lgnunetutil"];
    const output = join(directory, name);
    await run("gcc", ["-I/usr/include/gnunet", "-o", output, source, ...libraries]);
  }
}

test("a driver and peers of GNUnet meet in a run, on the nodes they are on", async () => {
  const directory = scratch();
  await compile(directory);
  // A peer that comes before the barrier is told so, and comes again.
  const peer = 'until "$EXPFILES/waiter" go; do sleep 0.1; done; echo met';
  writeFileSync(join(directory, "peer.sh"), `${peer}\n`);
  writeFileSync(
    join(directory, "driver.sh"),
    [
      'mkfifo "$LOGDIR/orders" && exec 3<>"$LOGDIR/orders"',
      '"$EXPFILES/driver" "$GNUNET_TESTBED_CONTROLLER_CONFIG" <"$LOGDIR/orders" 3<&- &',
      "echo init go 100 >&3",
      peer,
      "echo quit >&3",
      "wait $!",
      "",
    ].join("\n"),
  );
  const programs = ["driver", "peer", "peer"].map(
    (script, at) => `set n${at} [$ns node]
set p${at} [$n${at} program-agent -command {sh $EXPFILES/${script}.sh}]
$ns at 0.1 "$p${at} start"`,
  );
  const file = writeExperiment(programs.join("\n"), directory);
  const out = join(scratch(), "out");
  const command = start("muster", ["run", file, "--out", out]);
  const { text, result, stderr } = await ended({ command, out, file });
  expect(stderr).toBe("");
  expect(result.outcome).toBe("passed");
  const [barrier, ...more] = result.barriers;
  expect(more).toEqual([]);
  expect(barrier).toMatchObject({ name: "go", kind: "quorum", outcome: "crossed", expected: 3 });
  const nodes = barrier?.participants.map(({ node }) => node);
  expect(nodes?.toSorted()).toEqual(["n0", "n1", "n2"]);
  for (const at of [0, 1, 2]) {
    const said = text(`nodes/n${at}/local/logs/p${at}.out`);
    expect(said).toContain("result 1\n");
    expect(said).toMatch(/met\n/);
  }
  expect(text("nodes/n0/local/logs/p0.out")).toContain("status go 2\n");
});
