// SPDX-License-Identifier: MIT
// The command line of tmcc: the options of the old program and of the script around it.
// [EMULAB-TMCD 5] [EMULAB-TMCD 6] What is ours is behind long options only.
import { protocolVersion } from "../../wire/tmcd/index.ts";
import type { Exit } from "./exit.ts";
import { Getopt, scanInteger } from "./getopt.ts";

export const exitCodes = {
  /** A completed exchange, also with an empty reply. */
  ok: 0,
  usage: 1,
  /** Input or output failed, or nothing moved for the time of `-t`. */
  failed: 255,
} as const;

export const usage = `usage: tmcc [options] <command>
 -d              Say on standard error what happens
 -s server       Ask this server
 -p port         Ask at this port only
 -v version      Speak this version of the protocol
 -n vnodeid      Ask as this virtual node
 -k keyfile      Send the key in this file
 -u              Ask over UDP
 -l path         Ask through the proxy at this UNIX socket
 -t seconds      Give up after so long without progress
 -x path         Be a proxy at this UNIX socket
 -X ip:port      Be a proxy at this address
 -o file         Where a proxy writes its log
 -f file         Send the contents of this file after the command
 -i              Do not use TLS
 -T              Use the certificate of the TPM
 -b              Do not answer from the cache
 -c              Fill the cache anew first (root only)
 -D              Do not ask through the proxy of this machine
`;

const longUsage = `Options of Muster:
 --tls-legacy    Allow TLS 1.0 and the ciphers of its time, for old servers, and
                 with --serve for old clients
 --boot          Do what a node does when it boots: fetch everything, write the
                 files of the boot directory and the cache, report ISUP
 --serve FILE    Answer as the server of the nodes of this experiment file, on
                 loopback addresses; --listen PORT chooses another port,
                 --tls DIR speaks TLS, too, with the certificate of a server
                 that muster cert made in DIR
 --help          Display this message

Exit status: 0 an answer, perhaps an empty one; 1 wrong usage, unknown server
or no key file; 255 the exchange failed, or -t expired.
`;

/** A command line without a fault. */
export interface TmccArguments {
  readonly kind: "run";
  readonly debug: boolean;
  readonly server: string | undefined;
  readonly port: number | undefined;
  readonly version: number;
  readonly vnodeId: string | undefined;
  readonly keyFile: string | undefined;
  readonly isUdp: boolean;
  readonly proxyPath: string | undefined;
  readonly timeoutS: number | undefined;
  /** Be a proxy on a UNIX socket. */
  readonly servePath: string | undefined;
  /** Be a proxy on an inet address. */
  readonly serveInet: string | undefined;
  readonly logFile: string | undefined;
  readonly dataFile: string | undefined;
  readonly isPlain: boolean;
  readonly usesTpm: boolean;
  readonly bypassesCache: boolean;
  readonly refillsCache: boolean;
  readonly avoidsProxy: boolean;
  readonly isTlsLegacy: boolean;
  /** Fetch everything and write the files of the boot directory. */
  readonly isBoot: boolean;
  /** An experiment file to answer for. */
  readonly experimentFile: string | undefined;
  readonly listenPort: number | undefined;
  /** Directory of the certificates that a server of an experiment file uses. */
  readonly tlsDirectory: string | undefined;
  /** The command and its arguments. */
  readonly words: readonly string[];
}

type Draft = { -readonly [Key in keyof TmccArguments]: TmccArguments[Key] };

/** Words of a command. */
const wordsMax = 5;

export function parseTmccArguments(args: readonly string[]): TmccArguments | Exit {
  const draft: Draft = {
    kind: "run",
    debug: false,
    server: undefined,
    port: undefined,
    version: protocolVersion,
    vnodeId: undefined,
    keyFile: undefined,
    isUdp: false,
    proxyPath: undefined,
    timeoutS: undefined,
    servePath: undefined,
    serveInet: undefined,
    logFile: undefined,
    dataFile: undefined,
    isPlain: false,
    usesTpm: false,
    bypassesCache: false,
    refillsCache: false,
    avoidsProxy: false,
    isTlsLegacy: false,
    isBoot: false,
    experimentFile: undefined,
    listenPort: undefined,
    tlsDirectory: undefined,
    words: [],
  };
  const getopt = new Getopt(args, {
    flags: "duiTbcD",
    valued: "spvnkltxXof",
    longFlags: ["tls-legacy", "boot", "help", "help-all"],
    longValued: ["serve", "listen", "tls"],
  });
  const exit = getopt.takeAll<Exit>({
    flag: (name) => takeFlag(draft, name),
    valued: (name, value) => takeNumber(draft, name, value) ?? takeText(draft, name, value),
    error: (fault) => fail(`tmcc: ${fault.message}`),
  });
  if (exit !== undefined) return exit;
  return check({ ...draft, words: getopt.rest });
}

function takeFlag(draft: Draft, name: string): Exit | undefined {
  if (name === "help" || name === "help-all") {
    return { kind: "exit", code: exitCodes.ok, stdout: usage + longUsage };
  }
  if (name === "d") draft.debug = true;
  if (name === "u") draft.isUdp = true;
  if (name === "i") draft.isPlain = true;
  if (name === "T") draft.usesTpm = true;
  if (name === "b") draft.bypassesCache = true;
  if (name === "c") draft.refillsCache = true;
  if (name === "D") draft.avoidsProxy = true;
  if (name === "tls-legacy") draft.isTlsLegacy = true;
  if (name === "boot") draft.isBoot = true;
  return undefined;
}

const numbers: Readonly<Record<string, readonly [least: number, most: number]>> = {
  p: [1, 65_535],
  listen: [0, 65_535],
  v: [0, 2_147_483_647],
  t: [0, 2_000_000],
};

function takeNumber(draft: Draft, name: string, value: string): Exit | undefined {
  const [least, most] = numbers[name] ?? [];
  if (least === undefined || most === undefined) return undefined;
  const number = scanInteger(value);
  if (number === undefined || number < least || number > most) {
    return fail(`tmcc: -${name} takes a number from ${least} to ${most}: ${value}`);
  }
  if (name === "p") draft.port = number;
  if (name === "listen") draft.listenPort = number;
  if (name === "v") draft.version = number;
  // As ever, no seconds mean no limit.
  if (name === "t") draft.timeoutS = number === 0 ? undefined : number;
  return undefined;
}

function takeText(draft: Draft, name: string, value: string): undefined {
  if (name === "s") draft.server = value;
  if (name === "n") draft.vnodeId = value;
  if (name === "k") draft.keyFile = value;
  if (name === "l") draft.proxyPath = value;
  if (name === "x") draft.servePath = value;
  if (name === "X") draft.serveInet = value;
  if (name === "o") draft.logFile = value;
  if (name === "f") draft.dataFile = value;
  if (name === "serve") draft.experimentFile = value;
  if (name === "tls") draft.tlsDirectory = value;
}

/** What does not go together, and how many words there are. */
function check(given: TmccArguments): TmccArguments | Exit {
  const isServer = given.servePath !== undefined || given.serveInet !== undefined;
  if (given.experimentFile !== undefined) return given.words.length === 0 ? given : fail();
  if (given.usesTpm && given.isPlain) return fail();
  if (given.dataFile !== undefined && given.isUdp) return fail();
  if (given.servePath !== undefined && given.serveInet !== undefined) return fail();
  const others = [given.keyFile, given.server, given.servePath];
  if (given.proxyPath !== undefined && others.some((one) => one !== undefined)) return fail();
  if (given.vnodeId !== undefined && !/^[\w-]{1,30}$/.test(given.vnodeId)) {
    return fail(`tmcc: -n takes 1 to 30 letters, digits, _ and -: ${given.vnodeId}`);
  }
  if (isServer || given.isBoot) return given.words.length === 0 ? given : fail();
  return given.words.length >= 1 && given.words.length <= wordsMax ? given : fail();
}

function fail(text?: string): Exit {
  const stderr = text === undefined ? usage : `${text}\n${usage}`;
  return { kind: "exit", code: exitCodes.usage, stderr };
}
