// SPDX-License-Identifier: MIT
// Goal: output that cannot be written is one sentence and a status, never a stack. Method: the
// command with its standard output on a full device, and with a reader that leaves.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository, scratch, shell } from "./support/command.ts";

const muster = join(repository, "bin/muster");
const example = join(repository, "examples/nodea-nodeb.ns");

test("a full disk behind standard output is told, and the status is 74", async () => {
  // Mutant: no listener on the stream: Node prints a stack and the status is 1.
  const { code, stderr } = await shell(`${muster} parse ${example} --format json >/dev/full`);
  expect(stderr).toMatch(/^muster: cannot write the output: .*ENOSPC.*\n$/);
  expect(code).toBe(74);
});

test("a reader that leaves is no fault of anybody's", async () => {
  const { stderr } = await shell(`${muster} parse ${example} --format json | true`);
  expect(stderr).toBe("");
});

test.skipIf(process.getuid?.() !== 0)(
  "a disk that is full at the end of a run: each file that is missing is told, and 73",
  async () => {
    const disk = scratch();
    // What is left then is enough for the record, but for nothing else.
    const left = 24_576;
    const size = "$(( $(df -k --output=avail $LOGDIR | tail -n 1) * 1024 - ";
    const file = join(scratch(), "full.yaml");
    const command = `head -c ${size}${left} )) /dev/zero > $LOGDIR/big || true`;
    writeFileSync(file, `nodes: { a: }\nprograms: { p: { node: a, command: '${command}' } }\n`);
    const script = `mount -t tmpfs -o size=2m none ${disk} &&
      ${muster} run ${file} --out ${disk}/out; status=$?; ls ${disk}/out >&2; exit $status`;
    // A mount that goes with the command.
    const prefix = ["unshare", "--mount"];
    const { code, stderr, stdout } = await shell(script, { prefix });
    for (const name of ["report.html", "result.json"]) {
      const message = `muster: cannot write ${disk}/out/${name}: no space left on the device; `;
      expect(stderr).toContain(message);
      expect(stderr).not.toMatch(new RegExp(`^${name}$`, "m"));
    }
    expect(stderr).toMatch(/^record\.ndjson$/m);
    expect(stdout).toContain("1 program as expected");
    expect(code).toBe(73);
  },
);
