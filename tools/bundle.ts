// SPDX-License-Identifier: MIT
// Puts each program into one folder, dist/programs, with all it imports in few files: Node takes
// 0.6 ms for every module it loads, and a scheduler is made of 600. The folder is flat, so that a
// program finds the threads and processes it starts beside it, as in the sources; what is loaded
// on demand, or shared by several programs, is a part of its own. Packages are part of the
// programs, so their licences are too.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { rolldown } from "rolldown";

const root = join(import.meta.dirname, "..");
const source = join(root, "src");
const output = join(root, "dist/programs");

/**
 * What programs of Muster start and must have beside them, processes and threads: sources import
 * `./x.ts`, so that `"./x.js"` is said only for such a helper.
 */
function helpers(): readonly string[] {
  const sources = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((path) =>
    /(?<!\.test)\.ts$/.test(path),
  );
  return sources.flatMap((path) =>
    [...readFileSync(join(source, path), "utf8").matchAll(/"\.\/([\w-]+)\.js"/g)].map(
      ([, name = ""]) => join(dirname(path), name),
    ),
  );
}

/** Name of the program in dist/programs -> its source. The commands are those that `bin/` calls. */
function entries(): Record<string, string> {
  const found: Record<string, string> = { muster: join(source, "cli/main.ts") };
  for (const name of readdirSync(join(root, "bin"))) {
    const program = /^entry=.*\/dist\/programs\/(.+)\.js$/m.exec(
      readFileSync(join(root, "bin", name), "utf8"),
    )?.[1];
    if (program !== undefined) found[program] ??= join(source, `cli/compat/${program}.ts`);
  }
  for (const helper of helpers()) {
    const [name, file] = [basename(helper), join(source, `${helper}.ts`)];
    if ((found[name] ?? file) !== file) throw new Error(`${file}: there is another ${name}`);
    found[name] = file;
  }
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

/**
 * Of Node, loaded by whoever calls them first: each takes as long as Node itself takes to start.
 */
const loadedLate: readonly string[] = ["tls", "https"];

/**
 * A chunk that takes what it needs out of modules of Node. An `import` reads all that a module
 * exports, also what Node loads when somebody asks for it: with node:http come `fetch` and
 * `WebSocket`, with node:crypto all of WebCrypto, tens of milliseconds each. Functions of TLS, in
 * programs of which few ever speak it, wait until they are called.
 */
function takeFromNode(code: string): string {
  const imports = /^(?:(?:import |\/\/).*\n)*/.exec(code)?.[0] ?? "";
  const taken = imports.replace(
    /^import ([\w$]+|\{[^}]*\}) from "node:([^"]+)";$/gm,
    (_, names: string, module: string) => {
      const from = `globalThis.process.getBuiltinModule("node:${module}")`;
      const members = names.replace(/^\{ | \}$/g, "").split(", ");
      const isLate = loadedLate.includes(module) && members.every((name) => /^[a-z]/.test(name));
      if (!isLate) return `const ${names.replaceAll(" as ", ": ")} = ${from};`;
      return members
        .map((member) => member.split(" as "))
        .map(([name, own = name]) => `const ${own} = (...words) => ${from}.${name}(...words);`)
        .join("\n");
    },
  );
  const rest = code.slice(imports.length);
  const late = new RegExp(`= (__require\\("(?:${loadedLate.join("|")})"\\));$`, "gm");
  return taken + rest.replace(late, "= new Proxy({}, { get: (_, name) => $1[name] });");
}

const bundle = await rolldown({
  ...{ input: entries(), platform: "node", external: /^node:/ },
  // No source is there for what loading it does, so that of a list of exports (index.ts) only those
  // are loaded that are used.
  treeshake: {
    moduleSideEffects: [{ test: /^(?!.*[/]node_modules[/]).*[/]src[/]/, sideEffects: false }],
  },
});
const { output: files } = await bundle.generate({
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "part-[name]-[hash].js",
});
await bundle.close();

mkdirSync(output, { recursive: true });
const chunks = files.filter((file) => file.type === "chunk");
const contents = new Map(chunks.map(({ fileName, code }) => [fileName, takeFromNode(code)]));
contents.set("LICENSES.txt", licences(chunks.flatMap(({ moduleIds }) => moduleIds)));
for (const [name, text] of contents) {
  const path = join(output, name);
  // What did not change stays: programs that are running may still load it.
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
}
for (const name of readdirSync(output)) if (!contents.has(name)) rmSync(join(output, name));
