// SPDX-License-Identifier: MIT
// What a program may say of a session that it opens.
import type { MusterError } from "./muster-error.ts";
import type { ClientPlatform } from "./platform.ts";

export interface ConnectOptions {
  /** What `muster token create` printed; a server on loopback may ask for none. */
  readonly token?: string;
  /** The name space of the barriers; the token's own when absent, else `default`. */
  readonly scope?: string;
  /** How participants are called that have no name of their own. */
  readonly name?: string;
  /** How long the server keeps the session while the connection is lost. Default 30 s. */
  readonly leaseMs?: number;
  /** Gives up connecting, and later ends the session. */
  readonly signal?: AbortSignal;
  /** Gives up connecting after this much. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** The connection is lost (`false`) or back (`true`). Waits go on meanwhile. */
  readonly onLink?: (up: boolean) => void;
  /** The session ended, not by `close`. */
  readonly onEnd?: (error: MusterError) => void;
  /** For tests, and for platforms without a WebSocket of their own. */
  readonly platform?: ClientPlatform;
}
