// SPDX-License-Identifier: MIT
// The request line: option words, a command word, arguments. [EMULAB-TMCD 2] Owns what each word
// may hold; does not own where a request ends on a connection (split.ts) or who may ask what.
//
//   Q1. The parsed request depends on the text alone; no text makes the parser throw.
//   Q2. Option words are options before the command only.
import { assert } from "../../core/assert.ts";
import { findCommand, type TmcdCommand } from "./commands.ts";
import {
  idKeyCharsMax,
  privateKeyCharsMax,
  privateKeyCharsMin,
  protocolVersion,
  versionWhenAbsent,
  vnodeIdCharsMax,
} from "./constants.ts";

/** The option words of a request; absent when not given. */
export interface RequestOptions {
  readonly version: number;
  /** The caller is this virtual node. */
  readonly vnodeId?: string;
  /** The caller is the node that owns this key. */
  readonly privateKey?: string;
  /** An external key in the place of the address. */
  readonly idKey?: string;
  /** Act for this address. */
  readonly redirect?: string;
}

export interface TmcdRequest extends RequestOptions {
  readonly kind: "request";
  readonly command: TmcdCommand;
  /** What stands after the command and one blank. */
  readonly args: string;
}

export type RefusalCode = "empty" | "bad-option" | "unknown-command";

/** Text that is no request. Definite: nothing happened. */
export interface RefusedRequest {
  readonly kind: "refused";
  readonly code: RefusalCode;
  /** Never holds the value of a key. */
  readonly message: string;
}

type Draft = { -readonly [Key in keyof RequestOptions]: RequestOptions[Key] };

const addressPattern = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const versionMax = 2_147_483_647;

/** Each option word, what its value must be, and where it goes. */
const options: readonly {
  readonly word: string;
  readonly rule: string;
  take(value: string, draft: Draft): boolean;
}[] = [
  {
    word: "VERSION=",
    rule: "an integer from 0",
    take(value, draft) {
      if (!/^\d{1,10}$/.test(value) || Number(value) > versionMax) return false;
      draft.version = Number(value);
      return true;
    },
  },
  {
    word: "VNODEID=",
    rule: `1 to ${vnodeIdCharsMax} of A-Z a-z 0-9 _ -`,
    take(value, draft) {
      draft.vnodeId = value;
      return value.length <= vnodeIdCharsMax && /^[\w-]+$/.test(value);
    },
  },
  {
    word: "PRIVKEY=",
    rule: `${privateKeyCharsMin} to ${privateKeyCharsMax} hex digits`,
    take(value, draft) {
      draft.privateKey = value;
      const isLong = value.length >= privateKeyCharsMin && value.length <= privateKeyCharsMax;
      return isLong && /^[0-9A-Fa-f]+$/.test(value);
    },
  },
  {
    word: "IDKEY=",
    rule: `1 to ${idKeyCharsMax} letters and digits`,
    take(value, draft) {
      draft.idKey = value;
      return value.length <= idKeyCharsMax && /^[0-9A-Za-z]+$/.test(value);
    },
  },
  {
    word: "REDIRECT=",
    rule: "an IPv4 address",
    take(value, draft) {
      draft.redirect = value;
      return addressPattern.test(value);
    },
  },
];

/** Reads one request. Blanks before and between words are skipped, as they were meant to be. */
export function parseRequest(text: string): TmcdRequest | RefusedRequest {
  const draft: Draft = { version: versionWhenAbsent };
  let rest = text;
  for (;;) {
    const word = /^[ \t\r\n]*([^ \t\r\n]*)/.exec(rest);
    const name = word?.[1] ?? "";
    if (word === null || name === "") return refuse("empty", "there is no command");
    rest = rest.slice(word[0].length);
    const option = options.find((one) => name.startsWith(one.word));
    if (option === undefined) return takeCommand(draft, name, rest);
    if (!option.take(name.slice(option.word.length), draft)) {
      return refuse("bad-option", `${option.word.slice(0, -1)} takes ${option.rule}`);
    }
  }
}

function takeCommand(draft: Draft, word: string, rest: string): TmcdRequest | RefusedRequest {
  const command = findCommand(word);
  if (command !== undefined) {
    return { kind: "request", ...draft, command, args: rest.replace(/^[ \t]/, "") };
  }
  // A word may be a mistyped key: only what looks like a command is shown.
  const shown = /^[a-z]{1,32}$/.test(word) ? `"${word}"` : "the first word";
  return refuse("unknown-command", `${shown} is no command`);
}

function refuse(code: RefusalCode, message: string): RefusedRequest {
  return { kind: "refused", code, message };
}

/** What a client says. */
export interface RequestToFormat extends Partial<RequestOptions> {
  /** The command and its arguments, one word each. */
  readonly words: readonly string[];
  /** Follows the words; only `bootlog` and other reports take one. */
  readonly data?: string;
  /** A word for a proxy on the way: ask the server over UDP. */
  readonly useUdp?: boolean;
}

/** The bytes as the old client orders them: a blank after every word. @throws AssertionError */
export function formatRequest(request: RequestToFormat): string {
  const { version = protocolVersion, vnodeId, privateKey, idKey, redirect, data = "" } = request;
  const words = [
    ...(request.useUdp === true ? ["USEUDP=1"] : []),
    ...(redirect === undefined ? [] : [`REDIRECT=${redirect}`]),
    ...(vnodeId === undefined ? [] : [`VNODEID=${vnodeId}`]),
    ...(privateKey === undefined ? [] : [`PRIVKEY=${privateKey}`]),
    ...(idKey === undefined ? [] : [`IDKEY=${idKey}`]),
    `VERSION=${version}`,
    ...request.words,
  ];
  assert(request.words.length > 0, "a request has a command");
  return `${words.join(" ")} ${data}`;
}
