// SPDX-License-Identifier: MIT
// Goal: an experiment in TypeScript is run as any other file; one that is wrong, hangs or prints
// cannot hurt, and is said to be so. Method: small files, the commands, and the reader itself.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readProgram } from "../../src/cli/typescript-file.ts";
import { run, scratch } from "./support/command.ts";

const library = 'import { defineExperiment } from "musterd/experiment";\n';
const good = `${library}
const many: number = 2;
export default defineExperiment({
  name: "hello",
  nodes: { server: {}, client: { repeat: many } },
  programs: { greet: { node: "client", command: "for i in 1; do echo $NODE; done", start: "0s" } },
});
console.log("made");
`;

function write(name: string, text: string): string {
  const file = join(scratch(), name);
  writeFileSync(file, text);
  return file;
}

test.each(["exp.ts", "exp.mts"])("%s is parsed, run and converted", async (name) => {
  const file = write(name, good);
  const parsed = await run("muster", ["parse", file]);
  expect(parsed.stdout).toContain("greet-client1 on client1");
  // What the file prints is no part of what the command says.
  expect(parsed.stdout).not.toContain("made");
  const ran = await run("muster", ["run", file, "--out", join(scratch(), "out")]);
  expect(ran.stdout).toContain("passed  muster/hello");
  expect(ran.code).toBe(0);
  const converted = await run("muster", ["convert", file, "-"]);
  expect(converted.stdout).toContain("set client1 [$ns node]");
  const back = await run("muster", ["convert", file, "other.ts"]);
  expect(back.code).toBe(64);
});

test.each([
  ["a wrong name", `${library}export default defineExperiment({ name: "x", nods: {} } as never);`],
  ["no export", `${library}export const other = 1;`],
  ["a throw", 'throw new Error("out of eggs");'],
  ["what does not compile", "export default {{{"],
  ["an end", "process.kill(process.pid, 'SIGKILL');"],
])("%s is refused with what is wrong", async (what, text) => {
  const file = write("bad.ts", text);
  const { code, stdout, stderr } = await run("muster", ["run", file]);
  expect([code, stdout]).toEqual([65, ""]);
  expect(stderr).toContain("bad.ts: ");
  const said: Readonly<Record<string, string>> = {
    "a wrong name": "nods: error[YAML_KEY]",
    "no export": "export default defineExperiment({ ... })",
    "a throw": "out of eggs",
    "what does not compile": "bad.ts",
    "an end": "ended with a signal",
  };
  expect(stderr).toContain(said[what]);
});

test("a file that does not end is ended", async () => {
  const file = write("hangs.ts", "for (;;);");
  await expect(readProgram(file, 300)).rejects.toThrow("hangs.ts: it still ran after 0.3 s");
});

test("an experiment larger than a file may be is refused", async () => {
  const text = `export default { nodes: [] , get links() { return []; } };
    import { writeSync } from "node:fs";
    const part = Buffer.alloc(65_536, "x");
    for (let i = 0; i < 65; i += 1) for (let at = 0; at < part.length; ) at += writeSync(3, part, at);`;
  await expect(readProgram(write("large.ts", text))).rejects.toThrow("more than the 4194304 bytes");
});
