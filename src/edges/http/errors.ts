// SPDX-License-Identifier: MIT
// How the door says no: `{code, message, definite}` with a status. `definite` says that nothing has
// happened, so that the request may be made again without a second thought.
import type { ErrorCode } from "../../core/code.ts";
import { isDefinite } from "../../core/code.ts";

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

  constructor(code: HttpCode, message: string, more: HttpErrorDetails = {}) {
    super(message);
    this.#missing = more.missing;
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
    };
  }
}

export interface HttpErrorDetails {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Who had not come, for code `timeout`. */
  readonly missing?: readonly string[];
}

export interface ErrorBody {
  readonly code: HttpCode;
  readonly message: string;
  readonly definite: boolean;
  readonly missing?: readonly string[];
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
