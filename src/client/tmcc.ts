// SPDX-License-Identifier: MIT
// Asks the configuration server one thing: tries its ports in turn and for ever, follows redirects,
// gives up only when told to. [EMULAB-TMCD 5]
//
//   M1. The outcome comes once; nothing is left open behind it.
//   M2. The time to give up is one without progress: connecting and data renew it.
import { formatRequest, parseRedirect, type RequestToFormat } from "../wire/tmcd/index.ts";
import type { ClientRuntime } from "./runtime.ts";
import {
  startTmccAttempt,
  type TmccAttemptResult,
  type TmccTarget,
  type TmccTls,
} from "./tmcc-attempt.ts";
import { type TmccTime, tmccTime } from "./tmcc-time.ts";

export type TmccOutcome =
  | { readonly kind: "reply"; readonly bytes: Buffer }
  | { readonly kind: "timeout" }
  | { readonly kind: "redirect-limit" }
  | { readonly kind: "failed"; readonly message: string };

export interface TmccOptions {
  readonly request: RequestToFormat;
  /** Tried in order: the ports of one server, or one proxy. */
  readonly targets: readonly TmccTarget[];
  readonly tls?: TmccTls;
  /** Gives up after this long without progress; never when absent. */
  readonly timeoutMs?: number;
  /** Finds the address of a host that a redirect names; without it redirects fail. */
  readonly resolve?: (host: string) => Promise<string | undefined>;
  readonly runtime: Pick<ClientRuntime, "after">;
  /** Every port has refused; all are tried again after a pause. */
  readonly onRetry?: () => void;
  readonly time?: TmccTime;
}

/** Redirects that are followed. */
const redirectsMax = 4;

/**
 * Asks and waits for the whole reply.
 * @returns the outcome; never rejects
 * @example
 * const targets = [{ kind: "tcp", address: "127.0.0.1", port: 7777 }] as const;
 * const outcome = await askTmcd({ request: { words: ["status"] }, targets, runtime: clock });
 */
export function askTmcd(options: TmccOptions): Promise<TmccOutcome> {
  return new Promise((resolve) => {
    new Exchange(options, resolve).start();
  });
}

class Exchange {
  readonly #options: TmccOptions;
  readonly #resolve: (outcome: TmccOutcome) => void;
  #targets: readonly TmccTarget[];
  #request: RequestToFormat;
  #index = 0;
  #redirects = 0;
  #isOver = false;
  #close: () => void = nothing;
  #cancelRetry: () => void = nothing;
  #cancelTimeout: () => void = nothing;

  constructor(options: TmccOptions, resolve: (outcome: TmccOutcome) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#targets = options.targets;
    this.#request = options.request;
  }

  start(): void {
    this.#renew();
    this.#try();
  }

  #try(): void {
    const target = this.#targets[this.#index];
    if (target === undefined) {
      this.#pause();
      return;
    }
    this.#close = startTmccAttempt({
      target,
      bytes: Buffer.from(formatRequest(this.#request), "latin1"),
      tls: this.#options.tls,
      onProgress: () => this.#renew(),
      onResult: (result) => void this.#onResult(result),
    });
  }

  async #onResult(result: TmccAttemptResult): Promise<void> {
    if (this.#isOver) return;
    if (result.kind === "refused") {
      this.#index += 1;
      this.#try();
      return;
    }
    const head = result.kind === "reply" ? result.bytes.subarray(0, 512).toString("latin1") : "";
    const redirect = parseRedirect(head);
    if (redirect === undefined) this.#finish(result);
    else await this.#follow(redirect);
  }

  async #follow({ host, vnodeId }: { host: string; vnodeId: string | undefined }): Promise<void> {
    this.#redirects += 1;
    if (this.#redirects > redirectsMax) {
      this.#finish({ kind: "redirect-limit" });
      return;
    }
    const address = await this.#options.resolve?.(host);
    const target = this.#targets[this.#index];
    if (this.#isOver) return;
    if (address === undefined || target === undefined || target.kind === "unix") {
      this.#finish({ kind: "failed", message: `cannot follow a redirect to ${host}` });
      return;
    }
    if (vnodeId !== undefined) this.#request = { ...this.#request, vnodeId };
    // The same port of another host.
    this.#targets = [{ ...target, address }];
    this.#index = 0;
    this.#try();
  }

  #pause(): void {
    const { runtime, onRetry, time = tmccTime } = this.#options;
    onRetry?.();
    this.#index = 0;
    this.#cancelRetry = runtime.after(time.retryMs, () => this.#try());
  }

  /** M2. */
  #renew(): void {
    const { timeoutMs, runtime } = this.#options;
    this.#cancelTimeout();
    if (timeoutMs === undefined || this.#isOver) return;
    this.#cancelTimeout = runtime.after(timeoutMs, () => this.#finish({ kind: "timeout" }));
  }

  /** M1. */
  #finish(outcome: TmccOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
    this.#cancelRetry();
    this.#cancelTimeout();
    this.#resolve(outcome);
  }
}

function nothing(): void {}
