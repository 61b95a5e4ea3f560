// SPDX-License-Identifier: MIT
// Puts each program into one folder, dist/programs, with all it imports in few files: Node takes
// 0.6 ms for every module it loads, and a scheduler is made of 600. The folder is flat, so that a
// program finds the threads and processes it starts beside it, as in the sources; what is loaded
// on demand, or shared by several programs, is a part of its own. Packages are part of the
// programs, so their licences are too.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";

const root = join(import.meta.dirname, "..");
const source = join(root, "src");
const output = join(root, "dist/programs");

/** Started by programs of Muster, beside which they must be: processes and threads. */
const helpers = [
  "boss/parse-worker",
  "cli/typescript-main",
  "events/launch/supervisor-main",
  "network/delay-node/shaper-main",
  "network/delay-node/shaper-thread",
  "network/gate-helper",
  "testbed/agents/firing/firing-thread",
  "network/delay-node/shaper-main",
  "network/delay-node/shaper-thread",
  "network/gate-helper",
  "testbed/agents/trafgen/traffic-thread",
  "testbed/linktest/probe-main",
];

/** Name of the program in dist/programs -> its source. The commands are those that `bin/` calls. */
function entries(): Record<string, string> {
  const found: Record<string, string> = { muster: join(source, "cli/main.ts") };
  for (const name of readdirSync(join(root, "bin"))) {
    const program = /^entry=.*\/dist\/programs\/(.+)\.js$/m.exec(
      readFileSync(join(root, "bin", name), "utf8"),
    )?.[1];
    if (program !== undefined) found[program] ??= join(source, `cli/compat/${program}.ts`);
  }
  for (const helper of helpers) found[basename(helper)] = join(source, `${helper}.ts`);
  return found;
}

/** The licence of each package that has a module among these. */
function licences(modules: readonly string[]): string {
  const folders = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? []);
  const texts = [...new Set(folders)].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence file; see ${folder}`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

const bundle = await rolldown({
  ...{ input: entries(), platform: "node", external: /^node:/ },
  // No source is there for what loading it does, so that of a list of exports (index.ts) only those
  // are loaded that are used.
  treeshake: { moduleSideEffects: [{ test: /[/]src[/]/, sideEffects: false }] },
});
const { output: files } = await bundle.generate({
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "part-[name]-[hash].js",
});
await bundle.close();

mkdirSync(output, { recursive: true });
const chunks = files.filter((file) => file.type === "chunk");
const contents = new Map(chunks.map(({ fileName, code }) => [fileName, code]));
contents.set("LICENSES.txt", licences(chunks.flatMap(({ moduleIds }) => moduleIds)));
for (const [name, text] of contents) {
  const path = join(output, name);
  // What did not change stays: programs that are running may still load it.
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
}
for (const name of readdirSync(output)) if (!contents.has(name)) rmSync(join(output, name));
