// SPDX-License-Identifier: MIT
// `muster serve --config FILE`: YAML with the words of the options. Everything that is wrong is
// told at once, each with its line; what the command line says beside it comes on top of it: a
// single value in place of the file's, a list behind it.
import { dirname, resolve } from "node:path";
import { parseYamlText } from "../../boss/index.ts";
import {
  checkShape,
  type Diagnostic,
  type DocumentNode,
  entryOf,
  Findings,
  fileBytesMax,
  formatDiagnostic,
  type ScalarNode,
  type SourcePosition,
} from "../../experiment/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { readLogName } from "../log-name.ts";
import { readConfigText } from "./config-text.ts";
import { parseBelow } from "./serve-below.ts";
import { serveType } from "./serve-fields.ts";
import { isGnunetDoor, parseGnunetAllow, parseGnunetListen } from "./serve-gnunet.ts";
import { checkLimitName } from "./serve-limits.ts";
import { parseAllow, parseListen, parseRedirect, type Role } from "./serve-listen.ts";
import { readTls } from "./serve-tls.ts";
import { isTreeListen, parseParent, parseTreeListen } from "./serve-tree.ts";

/** What may be said of `muster serve`, on its command line or in a file; all may be left out. */
export interface ServeSettings {
  readonly state?: string;
  readonly name?: string;
  /** Absent: both. */
  readonly role?: Role;
  readonly listen?: readonly string[];
  readonly allow?: readonly string[];
  readonly redirectEvents?: readonly string[];
  readonly log?: string;
  /** Logs of the cluster. */
  readonly shards?: number;
  readonly natsCreds?: string;
  readonly tls?: string;
  readonly tlsName?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly httpClientCerts?: boolean;
  readonly origin?: readonly string[];
  readonly limit?: readonly string[];
  readonly gnunetPeers?: number;
  readonly controller?: string;
  readonly controllersKey?: string;
  readonly parent?: string;
  readonly parentKey?: string;
  readonly parentCa?: string;
  readonly parentCert?: string;
  readonly below?: readonly string[];
  readonly belowShell?: string;
  readonly belowCommand?: string;
  readonly belowAt?: string;
  /** Seconds. */
  readonly drain?: number;
  /** Which results of old runs stay. */
  readonly keepDays?: number;
  readonly keepBytes?: number;
  readonly scheduler?: "process" | "inside";
  readonly rundir?: string;
  readonly opsDir?: string;
  readonly ops?: string;
  readonly opsShell?: string;
  readonly opsUser?: string;
  readonly opsPort?: string;
  readonly opsProxy?: string;
}

export type SettingName = keyof ServeSettings;

/** Paths in a file count from where the file is. */
const paths: readonly string[] = [
  ...["state", "tls", "tls-cert", "tls-key", "tls-ca", "rundir", "ops-dir"],
  ...["controllers-key", "parent-key", "parent-ca", "parent-cert", "nats-creds"],
];
const lists: ReadonlySet<string> = new Set([
  ...["listen", "allow", "redirect-events", "origin", "below"],
]);
const numbers: ReadonlySet<string> = new Set([
  ...["drain", "gnunet-peers", "keep-bytes", "keep-days", "shards"],
]);
/** What is behind a text, by its key. @throws CommandError */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  listen: parseAnyListen,
  allow: parseAnyAllow,
  parent: parseParent,
  below: parseBelow,
  "redirect-events": parseRedirect,
  log: readLogName,
};

function parseAnyListen(text: string): unknown {
  if (isTreeListen(text)) return parseTreeListen(text);
  return isGnunetDoor(text) ? parseGnunetListen(text) : parseListen(text);
}

function parseAnyAllow(text: string): unknown {
  return isGnunetDoor(text) ? parseGnunetAllow(text) : parseAllow(text);
}

/** A configuration file as it was read. */
export interface ServeConfig {
  /** What is good of it. */
  readonly settings: ServeSettings;
  /** Every finding, each with its line and what to write instead; undefined: all is good. */
  readonly fault: CommandError | undefined;
  /** Settings of which nothing can be said, for what is wrong there. */
  readonly unsound: readonly SettingName[];
}

/** @throws CommandError with every finding, each with its line and what to write instead */
export function readServeConfig(file: string): ServeSettings {
  const { settings, fault } = inspectServeConfig(file);
  if (fault !== undefined) throw fault;
  return settings;
}

/**
 * @param given settings of the command line, which take the place of those of the file; when they
 * are said, the certificates that the file names are read, too
 * @throws CommandError when it cannot be read
 */
export function inspectServeConfig(file: string, given?: ServeSettings): ServeConfig {
  // One more than may be: the parser says that it is too long.
  const source = readConfigText(file, fileBytesMax + 1);
  const { tree, diagnostics } = parseYamlText(source, file);
  const findings = new Findings();
  // A file of nothing but comments asks for nothing.
  const isEmpty = tree === undefined && diagnostics.every(({ code }) => code === "YAML_EMPTY");
  if (!isEmpty) for (const diagnostic of diagnostics) findings.add(diagnostic);
  if (tree !== undefined) {
    checkShape(tree, serveType, "the configuration", findings);
    checkTexts(tree, findings);
  }
  const directory = dirname(resolve(file));
  if (tree !== undefined && given !== undefined) {
    checkCertificates(tree, given, directory, findings);
  }
  if (findings.errors === 0) {
    return { settings: toSettings(tree, directory), fault: undefined, unsound: [] };
  }
  const found = findings.finish();
  const texts = found.map((finding) => formatDiagnostic(finding, source));
  const message = `${file} cannot be used\n${texts.join("\n")}`;
  const unsound = findUnsound(tree, found);
  return {
    settings: toSettings(tree, directory, new Set<string>(unsound)),
    fault: new CommandError(exitCodes.refused, message),
    unsound,
  };
}

/** Those with a finding; also those that are not there, if one is called what nothing is. */
function findUnsound(
  tree: DocumentNode | undefined,
  found: readonly Diagnostic[],
): readonly SettingName[] {
  const keys = Object.keys(serveType.fields);
  const entries = tree?.kind === "map" ? tree.entries : [];
  const wrong = new Set<string | undefined>();
  for (const { at, severity } of found) {
    if (severity !== "error") continue;
    const isBefore = ({ line, column }: SourcePosition): boolean =>
      line < at.line || (line === at.line && column <= at.column);
    wrong.add(entries.findLast(({ keyAt }) => isBefore(keyAt))?.key);
  }
  const isMistaken = [...wrong].some((key) => key === undefined || !keys.includes(key));
  const isThere = (key: string): boolean => entries.some((entry) => entry.key === key);
  const names = keys.filter((key) => wrong.has(key) || (isMistaken && !isThere(key)));
  return names.map((key) => camelCase(key) as SettingName);
}

/** The file's settings with those of the command line on top. */
export function overlay(below: ServeSettings, above: ServeSettings): ServeSettings {
  const merged: Record<string, unknown> = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const before = merged[name];
    if (value === undefined) continue;
    merged[name] = Array.isArray(value) && Array.isArray(before) ? [...before, ...value] : value;
  }
  return merged;
}

/** What the table of fields cannot say: that a text is a door, a network, a limit. */
function checkTexts(tree: DocumentNode, findings: Findings): void {
  for (const [key, read] of Object.entries(readers)) {
    for (const { text, at } of textsIn(entryOf(tree, key)?.value)) {
      attempt(() => read(text), key, at, findings);
    }
  }
  const limits = entryOf(tree, "limit")?.value;
  if (limits?.kind !== "map") return;
  for (const { key, keyAt, value } of limits.entries) {
    // The value is checked by the table; only the name is not known to it.
    if (value.kind === "number") {
      const told = `${key}=${scalarText(value)}`;
      attempt(() => checkLimitName(key, told), "limit", keyAt, findings);
    }
  }
}

/** What is wrong with the files is said at the line that names them, with the rest. */
function checkCertificates(
  tree: DocumentNode,
  given: ServeSettings,
  directory: string,
  findings: Findings,
): void {
  const settings = overlay(toSettings(tree, directory), given);
  const name = settings.tls === undefined ? "tlsCert" : "tls";
  const key = name === "tls" ? "tls" : "tls-cert";
  const value = entryOf(tree, key)?.value;
  if (given[name] !== undefined || value?.kind !== "text") return;
  attempt(() => readTls({ ...settings, httpClientCerts: false }), key, value.at, findings);
}

function attempt(read: () => unknown, key: string, at: ScalarNode["at"], findings: Findings): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const [what = "", ...advice] = withoutOption(error.message, key).split("; ");
    findings.error(at, "SERVE_VALUE", what, advice.join("; ") || undefined);
  }
}

/** The message of an option, as of a key of the file. */
function withoutOption(message: string, key: string): string {
  return message.replace(new RegExp(`^--${key}:? `), "");
}

function textsIn(node: DocumentNode | undefined): readonly ScalarNode[] {
  if (node?.kind === "text") return [node];
  if (node?.kind !== "list") return [];
  return node.items.filter((item): item is ScalarNode => item.kind === "text");
}

/** @param without what is left out */
function toSettings(
  tree: DocumentNode | undefined,
  directory: string,
  without: ReadonlySet<string> = new Set(),
): ServeSettings {
  const settings: Record<string, unknown> = {};
  for (const { key, value } of tree?.kind === "map" ? tree.entries : []) {
    const name = camelCase(key);
    if (!without.has(name)) settings[name] = toSetting(key, value, directory);
  }
  return settings;
}

function toSetting(key: string, value: DocumentNode, directory: string): unknown {
  if (lists.has(key)) return textsIn(value).map(({ text }) => text);
  if (value.kind === "map") {
    return value.entries.map((entry) => `${entry.key}=${scalarText(entry.value)}`);
  }
  const text = scalarText(value);
  if (value.kind === "boolean") return text === "true";
  if (numbers.has(key)) return Number(text);
  if (paths.includes(key)) return resolve(directory, text);
  if (key === "log")
    return text.replace(/^sqlite:(.+)$/, (_, at) => `sqlite:${resolve(directory, at)}`);
  return text;
}

function scalarText(node: DocumentNode): string {
  return node.kind === "list" || node.kind === "map" ? "" : node.text;
}

function camelCase(key: string): string {
  return key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
