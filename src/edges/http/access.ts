// SPDX-License-Identifier: MIT
// Who calls, and whether they may: tokens, the origins of pages, the names the door goes by.
//
//   X1. While there is a file of tokens, nobody is let in without one, also when it is empty.
//   X2. A page of another origin is refused before anything is done, whatever it shows.
//   X3. A door that asks for no token answers only to addresses and to names it was told: a name
//       that a page's owner points at loopback would make his page an origin of the door. A
//       WebSocket that shows no origin is no page's, and may call the door by any name.
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { tokenProtocolPrefix } from "../../wire/link/frames.ts";
import type { Action, Role } from "../../wire/link/roles.ts";
import { mayDo } from "../../wire/link/roles.ts";
import { HttpError } from "./errors.ts";
import type { TokenSource } from "./tokens.ts";
import { checkToken, isLive } from "./tokens.ts";

/** Who makes a request or opens a socket. */
export interface Caller {
  readonly role: Role;
  /** The one scope it may use; absent for any. */
  readonly scope?: string;
  /** Id of its token; `open` while the door asks for none. */
  readonly token: string;
  /** Where it calls from, `ADDRESS:PORT`. */
  readonly address: string;
  /** Whose bounds it uses up: those of its token, or without one those of its address. */
  readonly account: string;
}

export interface AccessOptions {
  /** Absent: the door asks nobody for a token. */
  readonly tokens?: TokenSource;
  /** Origins of pages that may use the door, besides its own; `https://example.org`. */
  readonly origins?: readonly string[];
  /** Names that the door answers to without tokens, besides localhost and addresses. */
  readonly names?: readonly string[];
  readonly wallMs: () => number;
}

/** What anybody may do at a door without tokens: all but administer. */
const openRole: Role = "driver";
const bearer = /^Bearer +(\S+)$/i;

export class Access {
  readonly #options: AccessOptions;
  readonly #origins: ReadonlySet<string>;
  readonly #names: ReadonlySet<string>;
  /** What the door was called last by somebody who may: nearly all call it the same. */
  #knownHost = "";
  /** Whose bounds somebody without a token has used up last: one text for all of a crowd. */
  #known = { address: "", account: "" };

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#origins = new Set(options.origins ?? []);
    this.#names = new Set(["localhost", ...(options.names ?? [])]);
  }

  /** Whether the door asks for tokens. */
  get asksForTokens(): boolean {
    return this.#options.tokens?.rows() !== undefined;
  }

  /**
   * X2, X3.
   * @returns the origin of a page that may read the answer, if it is one of another origin.
   * @throws HttpError (forbidden)
   */
  checkOrigin(request: IncomingMessage): string | undefined {
    const { origin, host = "" } = request.headers;
    if (!this.asksForTokens) this.#checkName(host);
    if (origin === undefined) return undefined;
    const scheme = isTls(request) ? "https" : "http";
    if (host !== "" && origin === `${scheme}://${host}`) return undefined;
    if (this.#origins.has(origin)) return origin;
    throw new HttpError(
      "forbidden",
      `pages of origin ${origin} may not use this server; allow it with --origin ${origin}`,
    );
  }

  /** The same for a WebSocket: every page shows its origin there. @throws HttpError (forbidden) */
  checkSocketOrigin(request: IncomingMessage): void {
    if (request.headers.origin !== undefined) this.checkOrigin(request);
  }

  /** @throws HttpError (unauthorized) */
  identify(request: IncomingMessage): Caller {
    const { remoteAddress = "unknown", remotePort = 0 } = request.socket;
    const address = `${remoteAddress}:${remotePort}`;
    const rows = this.#options.tokens?.rows();
    if (rows === undefined) {
      return { role: openRole, token: "open", address, account: this.#openAccount(remoteAddress) };
    }
    const shown = tokenOf(request);
    if (shown === undefined) throw unauthorized("this server asks for a token");
    const row = checkToken(shown, rows, this.#options.wallMs());
    if (row === undefined) throw unauthorized("the token is not known here, or has expired");
    const { role, scope, id } = row;
    return { role, token: id, address, account: id, ...(scope === null ? {} : { scope }) };
  }

  /** Whether what callers have shown is good now: one look at the tokens is for all of them. */
  goodNow(): (caller: Pick<Caller, "token">) => boolean {
    const { tokens, wallMs } = this.#options;
    const rows = tokens?.rows();
    if (rows === undefined) return ({ token }) => token === "open";
    const nowMs = wallMs();
    return ({ token }) => {
      const row = rows.get(token);
      return row !== undefined && isLive(row, nowMs);
    };
  }

  #openAccount(address: string): string {
    if (this.#known.address !== address) this.#known = { address, account: `open ${address}` };
    return this.#known.account;
  }

  #checkName(host: string): void {
    if (host === this.#knownHost) return;
    const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
    if (name === "" || isIP(name) !== 0 || this.#names.has(name)) {
      this.#knownHost = host;
      return;
    }
    throw new HttpError(
      "forbidden",
      `this server asks for no token and is not known as ${name}; call it by its address, or make a token with: muster token create`,
    );
  }
}

/** @throws HttpError (forbidden) */
export function checkAction({ role }: Caller, action: Action): void {
  if (mayDo(role, action)) return;
  const message = `a token of role ${role} may not do this (${action}); make one that may with: muster token create`;
  throw new HttpError("forbidden", message);
}

/** The scope a request means. @throws HttpError (forbidden) when the caller may not use it. */
export function chooseScope({ scope: own }: Caller, asked: string | undefined): string {
  if (own === undefined) return asked ?? defaultScope;
  if (asked === undefined || asked === own) return own;
  throw new HttpError("forbidden", `the token is for scope ${own}, not for ${asked}`);
}

/** The scope of those who name none. */
export const defaultScope = "default";

function tokenOf({ headers }: IncomingMessage): string | undefined {
  const fromHeader = bearer.exec(headers.authorization ?? "")?.[1];
  if (fromHeader !== undefined) return fromHeader;
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((text) => text.trim());
  return offered
    .find((text) => text.startsWith(tokenProtocolPrefix))
    ?.slice(tokenProtocolPrefix.length);
}

function unauthorized(why: string): HttpError {
  const message = `${why}; send Authorization: Bearer TOKEN, with one from: muster token create`;
  return new HttpError("unauthorized", message, { headers: { "www-authenticate": "Bearer" } });
}

function isTls(request: IncomingMessage): boolean {
  return (request.socket as Partial<TLSSocket>).encrypted === true;
}
