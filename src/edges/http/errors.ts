// SPDX-License-Identifier: MIT
// How the door says no: `{code, message, definite}` with a status. `definite` says that nothing has
// happened, so that the request may be made again without a second thought.
import type { ErrorCode } from "../../core/code.ts";
import { isDefinite } from "../../core/code.ts";
import type { MemberFacts } from "../../core/description.ts";
import type { Presence } from "../../core/effect.ts";

/** The closed set of codes; those of the core keep their meaning. */
export type HttpCode =
  | ErrorCode
  /** No token, one that is not known, or one that has expired. */
  | "unauthorized"
  /** The role or the scope of the token does not allow it, or the page's origin does not. */
  | "forbidden"
  /** There is no such resource. */
  | "not-found"
  /** A fault of the server. */
  | "internal";

const statuses: Readonly<Record<HttpCode, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  unknown: 404,
  // Not 408: browsers repeat a request that was answered so.
  timeout: 504,
  cancelled: 409,
  failed: 409,
  ended: 410,
  limit: 429,
  internal: 500,
  unavailable: 503,
};

export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly code: HttpCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #missing: readonly string[] | undefined;
  readonly #parties: PartyLists | undefined;

  constructor(code: HttpCode, message: string, more: HttpErrorDetails = {}) {
    super(message);
    this.#missing = more.missing;
    this.#parties = more.parties;
    this.code = code;
    this.status = more.status ?? statuses[code];
    this.headers = more.headers ?? {};
  }

  get body(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      definite: isDefiniteCode(this.code),
      ...(this.#missing === undefined ? {} : { missing: this.#missing }),
      ...(this.#parties === undefined ? {} : { parties: this.#parties }),
    };
  }
}

export interface HttpErrorDetails {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Who had not come, for code `timeout`. */
  readonly missing?: readonly string[];
  /** Of a wait that timed out or failed. */
  readonly parties?: PartyLists | undefined;
}

/** One of those who had come, had not, or were dead. */
export interface PartyFacts {
  readonly name: string;
  readonly group?: string;
  /** For how long that had been so. */
  readonly forMs: number;
  /** Why it is dead. */
  readonly reason?: string;
}

export type PartyLists = Readonly<Record<"arrived" | "missing" | "dead", readonly PartyFacts[]>>;

/** The lists of an effect, with how long instead of since when. */
export function partiesOf({ nowUs, arrived, missing, dead }: Presence): PartyLists {
  const facts = ({ sinceUs, ...rest }: MemberFacts): PartyFacts => ({
    ...rest,
    forMs: (nowUs - sinceUs) / 1000,
  });
  return { arrived: arrived.map(facts), missing: missing.map(facts), dead: dead.map(facts) };
}

export interface ErrorBody {
  readonly code: HttpCode;
  readonly message: string;
  readonly definite: boolean;
  readonly missing?: readonly string[];
  readonly parties?: PartyLists;
}

function isDefiniteCode(code: HttpCode): boolean {
  switch (code) {
    case "unauthorized":
    case "forbidden":
    case "not-found":
      return true;
    case "internal":
      return false;
    default:
      return isDefinite(code);
  }
}
