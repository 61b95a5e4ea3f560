// SPDX-License-Identifier: MIT
// `muster token create|ls|revoke`: who may use the HTTP door of the servers of a state directory.
// The file is the authority; a server that runs reads it again by itself.
import { appendFileSync } from "node:fs";
import { userInfo } from "node:os";
import { prepareStateDirectory, type StateDirectory } from "../../boss/index.ts";
import { defaultLimits } from "../../core/limits.ts";
import { controlCharacters, utf8Length } from "../../core/text.ts";
import {
  changeTokens,
  formatToken,
  hashSecret,
  isLive,
  readTokens,
  TokenFileError,
  type TokenRow,
} from "../../edges/http/index.ts";
import { systemClock } from "../../host/clock.ts";
import { newRunId, newSecret } from "../../host/ids.ts";
import type { Role } from "../../wire/link/roles.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { formatTable } from "../output.ts";
import { commandError, stateOf } from "./serve-client.ts";

export interface TokenCreateArguments {
  readonly role: Role;
  readonly scope?: string;
  readonly allScopes: boolean;
  /** Milliseconds from now. */
  readonly expires?: number;
  readonly note: string;
  readonly json: boolean;
  readonly state?: string;
}

/** @returns the exit status. @throws CommandError */
export function tokenCreateCommand(argv: TokenCreateArguments, io: CommandIo): number {
  const { role, scope, allScopes, expires, note } = argv;
  if ((scope === undefined) === !allScopes) {
    const message = "say what the token is for: --scope NAME for one scope, or --all-scopes";
    throw new CommandError(exitCodes.usage, message);
  }
  if (scope !== undefined) checkScope(scope);
  const state = prepared(argv.state);
  const nowMs = systemClock.wallMs();
  const [id, secret] = [newRunId(), `${newSecret()}${newSecret()}`];
  const row: TokenRow = {
    ...{ id, hash: hashSecret(secret), role, scope: scope ?? null, note },
    ...{ createdMs: nowMs, expiresMs: expires === undefined ? null : nowMs + expires },
  };
  change(state, (rows) => [...rows.filter((one) => isLive(one, nowMs)), row]);
  audit(state, `token ${id} created: ${describeRights(row)}`);
  const token = formatToken(id, secret);
  if (argv.json) io.stdout(`${JSON.stringify({ token, ...withoutHash(row) }, null, 2)}\n`);
  else {
    io.stdout(`${token}\n`);
    io.stderr(`muster: token ${id}, ${describeRights(row)}; it is not shown again\n`);
  }
  return exitCodes.ok;
}

/**
 * A token of a scope that servers take no command for would be good for nothing, and what it is for
 * is shown to people. @throws CommandError
 */
function checkScope(scope: string): void {
  const { nameBytesMax } = defaultLimits;
  const bytes = utf8Length(scope);
  if (bytes > nameBytesMax) {
    const message = `--scope: the name has ${bytes} bytes, and that of a scope has at most ${nameBytesMax}; give a shorter one`;
    throw new CommandError(exitCodes.usage, message);
  }
  if (scope.search(controlCharacters) === -1) return;
  const shown = JSON.stringify(scope.replace(controlCharacters, "?"));
  const message = `--scope ${shown}: the name has line breaks or other characters that are not seen (shown as ?); give it without`;
  throw new CommandError(exitCodes.usage, message);
}

export interface TokenListArguments {
  readonly json: boolean;
  readonly state?: string;
}

/** @returns the exit status. @throws CommandError */
export function tokenListCommand(argv: TokenListArguments, io: CommandIo): number {
  const state = stateOf(argv.state);
  const rows = guarded(() => readTokens(state.tokens)) ?? [];
  if (argv.json) {
    io.stdout(`${JSON.stringify(rows.map(withoutHash), null, 2)}\n`);
    return exitCodes.ok;
  }
  if (rows.length === 0) {
    io.stdout("no tokens; make one with: muster token create\n");
    return exitCodes.ok;
  }
  const nowMs = systemClock.wallMs();
  const table = rows.map((row) => [
    ...[row.id, row.role, row.scope ?? "all scopes", describeExpiry(row, nowMs), row.note],
  ]);
  const head = ["ID", "ROLE", "SCOPE", "EXPIRES", "NOTE"];
  io.stdout(`${formatTable([head, ...table]).join("\n")}\n`);
  return exitCodes.ok;
}

export interface TokenRevokeArguments {
  readonly id: string;
  readonly state?: string;
}

/** @returns the exit status. @throws CommandError */
export function tokenRevokeCommand(argv: TokenRevokeArguments, io: CommandIo): number {
  const state = prepared(argv.state);
  let isKnown = false;
  change(state, (rows) => {
    isKnown = rows.some(({ id }) => id === argv.id);
    return rows.filter(({ id }) => id !== argv.id);
  });
  if (!isKnown) {
    const message = `there is no token ${argv.id} in ${state.path}; see: muster token ls`;
    throw new CommandError(exitCodes.failed, message);
  }
  audit(state, `token ${argv.id} revoked`);
  io.stdout(`token ${argv.id} is revoked; whoever uses it is shown out within a second\n`);
  return exitCodes.ok;
}

function prepared(given: string | undefined): StateDirectory {
  const state = stateOf(given);
  try {
    prepareStateDirectory(state);
  } catch (error) {
    throw commandError(error);
  }
  return state;
}

function change(
  state: StateDirectory,
  changeRows: (rows: readonly TokenRow[]) => readonly TokenRow[],
): void {
  guarded(() => changeTokens(state.tokens, changeRows));
}

function guarded<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof TokenFileError)) throw error;
    throw new CommandError(exitCodes.cannotCreate, error.message);
  }
}

/** One line for everything that is done to who may do what. */
function audit(state: StateDirectory, what: string): void {
  const when = new Date(systemClock.wallMs()).toISOString();
  const line = `${when} audit: ${what}, by user ${userInfo().username}\n`;
  appendFileSync(state.audit, line, { mode: 0o600 });
}

function withoutHash({ hash: _, ...row }: TokenRow): Omit<TokenRow, "hash"> {
  return row;
}

function describeRights({ role, scope }: TokenRow): string {
  return `role ${role}, ${scope === null ? "all scopes" : `scope ${scope}`}`;
}

function describeExpiry(row: TokenRow, nowMs: number): string {
  if (row.expiresMs === null) return "never";
  const when = new Date(row.expiresMs).toISOString();
  return isLive(row, nowMs) ? when : `${when} (over)`;
}
