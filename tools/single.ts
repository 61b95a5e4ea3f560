// SPDX-License-Identifier: MIT
// Makes dist/single/muster: one executable file that is Node and all programs of dist/programs, so
// that a machine needs nothing else (Node's single executable application). `npm run build:single`;
// a directory may be named in place of dist/single.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import type { SingleIndex } from "./single-main.ts";

const root = join(import.meta.dirname, "..");
const programs = join(root, "dist/programs");
const output = process.argv[2] ?? join(root, "dist/single");
/** By this Node finds out that something was put into it. */
const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** Path below the root of an installation -> text. */
function files(): Readonly<Record<string, string>> {
  const found: Record<string, string> = {
    "package.json": readFileSync(join(root, "package.json"), "utf8"),
    LICENSE: readFileSync(join(root, "LICENSE"), "utf8"),
  };
  for (const name of readdirSync(programs).sort()) {
    found[`dist/programs/${name}`] = readFileSync(join(programs, name), "utf8");
  }
  return found;
}

/** The commands that `bin/` has, by each name that they are installed under. */
function commands(): Readonly<Record<string, string>> {
  const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly bin: Readonly<Record<string, string>>;
  };
  const found: Record<string, string> = {};
  for (const [name, file] of Object.entries(bin)) {
    const text = readFileSync(join(root, file), "utf8");
    const program = /^entry=.*\/dist\/programs\/(.+)\.js$/m.exec(text)?.[1];
    if (program === undefined) throw new Error(`${file} names no program of dist/programs`);
    for (const one of [name, basename(file)]) found[one] = program;
  }
  return found;
}

async function bundleMain(path: string): Promise<void> {
  const bundle = await rolldown({
    ...{ input: join(root, "tools/single-main.ts"), platform: "node", external: /^node:/ },
  });
  await bundle.write({ file: path, format: "cjs" });
  await bundle.close();
}

const work = mkdtempSync(join(tmpdir(), "muster-single-"));
try {
  const packed = JSON.stringify(files());
  const checksum = createHash("sha256").update(packed).digest("hex");
  const index: SingleIndex = { checksum, commands: commands() };
  writeFileSync(join(work, "files"), gzipSync(packed, { level: 9 }));
  writeFileSync(join(work, "index"), JSON.stringify(index));
  await bundleMain(join(work, "main.cjs"));
  const config = {
    ...{ main: join(work, "main.cjs"), output: join(work, "blob") },
    disableExperimentalSEAWarning: true,
    // What the programs are called with elsewhere; see bin/launch.sh.
    execArgv: ["--disable-warning=ExperimentalWarning"],
    // The environment of a host's user is not asked for options.
    execArgvExtension: "none",
    assets: { files: join(work, "files"), index: join(work, "index") },
  };
  writeFileSync(join(work, "config.json"), JSON.stringify(config));
  execFileSync(process.execPath, ["--experimental-sea-config", join(work, "config.json")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  copyFileSync(process.execPath, join(work, "muster"));
  chmodSync(join(work, "muster"), 0o755);
  const postject = join(root, "node_modules/postject/dist/cli.js");
  const injected = [join(work, "muster"), "NODE_SEA_BLOB", join(work, "blob")];
  // It warns of names of sections that Node's own file does not have.
  execFileSync(process.execPath, [postject, ...injected, "--sentinel-fuse", fuse], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  mkdirSync(output, { recursive: true });
  // Whole, and not over one that runs.
  copyFileSync(join(work, "muster"), join(output, "muster.new"));
  renameSync(join(output, "muster.new"), join(output, "muster"));
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.stdout.write(`${join(output, "muster")}\n`);
