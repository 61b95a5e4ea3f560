// SPDX-License-Identifier: MIT
// `muster cert init|issue`: an authority in a directory, and certificates for servers, nodes and
// users that it signs.
import { join } from "node:path";
import { resolveStateDirectory } from "../../boss/index.ts";
import { systemClock } from "../../host/clock.ts";
import type { KeyKind } from "../../host/ids.ts";
import {
  type CertificateFiles,
  initDirectory,
  issueFiles,
  PkiError,
  type SubjectKind,
} from "../../pki/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";

interface CertArguments {
  readonly dir?: string;
  readonly state?: string;
  readonly days: number;
  readonly force: boolean;
  readonly json: boolean;
}

export interface CertInitArguments extends CertArguments {
  readonly key: KeyKind;
}

export interface CertIssueArguments extends CertArguments {
  readonly kind: SubjectKind;
  readonly name: string;
  readonly san: readonly string[];
}

/** @returns the exit status. @throws CommandError */
export async function certInitCommand(argv: CertInitArguments, io: CommandIo): Promise<number> {
  const { key: keyKind, days, force } = argv;
  const directory = certificateDirectory(argv);
  const nowMs = systemClock.wallMs();
  const files = await explain(initDirectory({ directory, keyKind, days, force, nowMs }));
  const next = `issue what it signs with: muster cert issue server|node|user NAME${again(argv)}`;
  tell(argv, io, { directory, kind: "authority", files }, next);
  return exitCodes.ok;
}

/** @returns the exit status. @throws CommandError */
export async function certIssueCommand(argv: CertIssueArguments, io: CommandIo): Promise<number> {
  const { kind, name, san, days, force } = argv;
  const directory = certificateDirectory(argv);
  const nowMs = systemClock.wallMs();
  const files = await explain(issueFiles({ directory, kind, name, san, days, force, nowMs }));
  tell(argv, io, { directory, kind, name, files }, uses[kind]);
  return exitCodes.ok;
}

/** `--dir`, else `tls` in the state directory. */
export function certificateDirectory(argv: Pick<CertArguments, "dir" | "state">): string {
  if (argv.dir !== undefined) return argv.dir;
  return join(resolveStateDirectory(argv.state, process.env).path, "tls");
}

const uses: Readonly<Record<SubjectKind, string>> = {
  server: "a door serves with it; clients need ca.pem",
  node: "the node keeps the bundle as client.pem and ca.pem as emulab.pem, in /etc/emulab",
  user: "the user keeps the bundle as ~/.ssl/emulab.pem",
};

interface Told {
  readonly directory: string;
  readonly kind: SubjectKind | "authority";
  readonly name?: string;
  readonly files: CertificateFiles;
}

function tell({ json }: CertArguments, io: CommandIo, told: Told, next: string): void {
  const { files, ...rest } = told;
  const { endsMs, ...paths } = files;
  const ends = new Date(endsMs).toISOString();
  if (json) {
    io.stdout(`${JSON.stringify({ ...rest, ...paths, ends }, null, 2)}\n`);
    return;
  }
  for (const [what, path] of Object.entries(paths)) io.stdout(`${what.padEnd(11)} ${path}\n`);
  io.stdout(`valid until ${ends}\n${next}\n`);
}

function again({ dir, state }: CertArguments): string {
  if (dir !== undefined) return ` --dir ${dir}`;
  return state === undefined ? "" : ` --state ${state}`;
}

const statuses = {
  BAD_NAME: exitCodes.usage,
  BAD_DAYS: exitCodes.usage,
  EXISTS: exitCodes.cannotCreate,
  FILE: exitCodes.cannotCreate,
  NO_AUTHORITY: exitCodes.noInput,
  NOT_FOUND: exitCodes.noInput,
  UNSAFE: exitCodes.noInput,
  DAMAGED: exitCodes.noInput,
} as const;

/** What `work` throws, as what the command prints and ends with. */
async function explain<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof PkiError) throw new CommandError(statuses[error.code], error.message);
    throw error;
  }
}
