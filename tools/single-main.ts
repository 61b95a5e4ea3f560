// SPDX-License-Identifier: MIT
// The first code of the executable that is one file: Node with all programs of Muster inside. It
// unpacks them into the user's cache, once for each build and place, and becomes the one that it is
// called as: by its own name (`emulab-sync`), by its first argument, or `muster`.
//
//   X1. What is in the cache is whole, and this user's: a directory appears by being renamed, and
//       one that others could write to is not used.
//   X2. As `process.execPath` it stands for Node: programs start their helpers by it, also where
//       home is another directory, as on nodes, and with it the cache.
//   X3. Nobody is started who would fail later for want of open files: the same is said as by
//       bin/launch.sh. With fewer than 21 Node itself ends before this code, and nothing can be.
import { createHash } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { getAsset } from "node:sea";
import { pathToFileURL } from "node:url";
import { constants, Script } from "node:vm";
import { gunzipSync } from "node:zlib";

/** What tools/single.ts puts in. */
export interface SingleIndex {
  /** Of the files, hexadecimal. */
  readonly checksum: string;
  /** Name of a command -> its program, of `dist/programs`. */
  readonly commands: Readonly<Record<string, string>>;
}

interface Asked {
  /** What it is called, as `bin/` has it. */
  readonly name: string;
  /** Of `dist/programs`. */
  readonly program: string;
  readonly rest: readonly string[];
}

const index = JSON.parse(getAsset("index", "utf8")) as SingleIndex;
const place = createHash("sha256").update(process.execPath).digest("hex").slice(0, 8);
/** Of the directory with the files. */
const name = `unpacked-${index.checksum.slice(0, 16)}-${place}`;

function main(): void {
  const [, calledAs = "", ...words] = process.argv;
  const helper = words.findIndex((word) => !word.startsWith("-"));
  const script = words[helper] ?? "";
  const besides = join(script, "../../..");
  if (script === join(besides, "dist/programs", basename(script)) && basename(besides) === name) {
    // X2. Where another user unpacked it, nothing but the program's name is taken from them.
    const from = isOwn(dirname(besides)) && isOwn(besides) ? besides : unpackedRoot();
    become(join(from, "dist/programs", basename(script)), words.slice(helper + 1));
    return;
  }
  const asked = commandOf(basename(calledAs), words);
  demandOpenFiles(asked);
  become(join(unpackedRoot(), "dist/programs", `${asked.program}.js`), asked.rest);
}

/** By its own name, or by its first argument. */
function commandOf(own: string, words: readonly string[]): Asked {
  const named = index.commands[own];
  if (named !== undefined && own !== "muster") return { name: own, program: named, rest: words };
  const [first = "", ...rest] = words;
  const asked = index.commands[first];
  if (asked !== undefined) return { name: first, program: asked, rest };
  return { name: "muster", program: "muster", rest: words };
}

/** X3. The hard limit counts: Node raises its own as far as it may. */
function demandOpenFiles({ name: command, program, rest }: Asked): void {
  const needed = program === "muster" && rest[0] === "serve" ? 64 : 24;
  const allowed = openFilesAllowed();
  if (allowed >= needed) return;
  const what = `${needed} open files are needed, and ${allowed} are allowed`;
  process.stderr.write(`${command}: ${what}; raise the limit (ulimit -Hn)\n`);
  process.exit(69);
}

/** Infinity where it is not known. */
function openFilesAllowed(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const [, hard] = /^Max open files +\S+ +(\d+) /m.exec(limits) ?? [];
    return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function become(script: string, words: readonly string[]): void {
  process.argv = [process.execPath, script, ...words];
  // `import` of the code in the executable knows modules of Node only.
  const load = new Script("(url) => import(url)", {
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext() as (url: string) => Promise<unknown>;
  load(pathToFileURL(script).href).catch((error: unknown) => {
    process.stderr.write(`muster: ${script} cannot be run: ${String(error)}\n`);
    process.exitCode = 70;
  });
}

/** Where the files are, as `bin` and `dist` of an installation. X1 */
function unpackedRoot(): string {
  const reasons: string[] = [];
  for (const cache of caches()) {
    const root = join(cache, name);
    try {
      if (!isOwn(root)) unpack(cache, root);
      if (isOwn(root)) return root;
      reasons.push(`${root} is not yours alone`);
    } catch (error) {
      reasons.push(String(error));
    }
  }
  process.stderr.write(
    `muster: its programs cannot be unpacked: ${reasons.join("; ")}; set XDG_CACHE_HOME to a directory of yours\n`,
  );
  process.exit(73);
}

function caches(): readonly string[] {
  const { XDG_CACHE_HOME: cache = "", HOME: home = "" } = process.env;
  const given = cache.startsWith("/") ? cache : join(home || homedir(), ".cache");
  // What was copied to a host lies in a cache already, whatever the environment of a program there
  // says of another one.
  const isCopied = /^muster-[0-9a-f]{64}$/.test(basename(process.execPath));
  const beside = isCopied ? [dirname(process.execPath)] : [];
  return [
    ...beside,
    join(given, "muster"),
    join(tmpdir(), `muster-cache-${process.getuid?.() ?? 0}`),
  ];
}

/** A directory of this user to which nobody else may write. */
function isOwn(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  const isDirectory = status?.isDirectory() === true && status.uid === process.getuid?.();
  return isDirectory && (status.mode & 0o022) === 0;
}

function unpack(cache: string, root: string): void {
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  if (!isOwn(cache)) throw new Error(`${cache} is not yours alone`);
  const part = mkdtempSync(`${root}.part-`);
  try {
    const packed = gunzipSync(new Uint8Array(getAsset("files")));
    const files = JSON.parse(packed.toString("utf8")) as Readonly<Record<string, string>>;
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(part, path)), { recursive: true });
      writeFileSync(join(part, path), text);
    }
    mkdirSync(join(part, "bin"));
    for (const command of Object.keys(index.commands)) {
      symlinkSync(process.execPath, join(part, "bin", command));
    }
    chmodSync(part, 0o700);
    renameSync(part, root);
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    // Another process has just unpacked the same.
    if (!isOwn(root)) throw error;
  }
}

main();
