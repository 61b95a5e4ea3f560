// SPDX-License-Identifier: MIT
// The key by which controllers of a tree know each other: a file at the upper one, and copies of it
// at those below.
import { existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { errorText } from "../../core/text.ts";
import { newSecret } from "../../host/ids.ts";
import { readSmallFile } from "../../host/small-file.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

/** Less than this can be guessed; one that Muster makes has 43. */
const keyCharactersMin = 16;

export interface ControllersKey {
  readonly file: string;
  readonly secret: string;
}

/** At a controller below. @throws CommandError */
export function readParentKey(file: string): string {
  const help = "copy controllers.key of the controller above there, or name it with --parent-key";
  return readKey(file, help);
}

/** Made when there is none; who joins needs a copy. @throws CommandError */
export function obtainControllersKey(file: string): ControllersKey {
  try {
    if (!existsSync(file)) makeKey(file);
  } catch (error) {
    const why = errorText(error);
    throw new CommandError(exitCodes.cannotCreate, `cannot make the key ${file}: ${why}`);
  }
  return { file, secret: readKey(file, "remove it, and a new one is made") };
}

/** The name is there when all of it is: a full disk or a crash leaves no key that is empty. */
function makeKey(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, `${newSecret()}\n`, { mode: 0o600, flag: "wx", flush: true });
    linkSync(draft, file);
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isThere) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readKey(file: string, help: string): string {
  let secret: string;
  try {
    secret = readSmallFile(file).trim();
  } catch (error) {
    const why = errorText(error);
    throw new CommandError(exitCodes.noInput, `cannot read the key ${file} (${why}); ${help}`);
  }
  if (secret.length >= keyCharactersMin) return secret;
  const what = secret === "" ? "is empty" : `has ${secret.length} characters`;
  const message = `the key ${file} ${what}, and needs ${keyCharactersMin} or more; ${help}`;
  throw new CommandError(exitCodes.noInput, message);
}
