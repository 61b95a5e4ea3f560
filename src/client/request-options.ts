// SPDX-License-Identifier: MIT
// What a program may say with each request at a barrier.

export interface RequestOptions {
  /** The promise rejects with its reason; what was asked for may have happened (see each call). */
  readonly signal?: AbortSignal;
}

export interface ArrivalOptions {
  /** The participant's name, for reports of who is there; the session's name when absent. */
  readonly name?: string;
  /** An error number brought to the barrier; everybody is told the largest. */
  readonly error?: number;
}

export interface WaitOptions extends ArrivalOptions {
  /** The wait ends with code `timeout` after this much of the server's time. */
  readonly timeoutMs?: number;
  /** Takes the arrival back: the participant leaves. */
  readonly signal?: AbortSignal;
  /**
   * Goes on at one instant of a common clock with all who ask for it, instead of when the news
   * comes. The instant is later than the crossing by the longest lead that one of them asked for:
   * of `true`, four times its way to the server and back, 20 ms at least.
   */
  readonly together?: boolean | { readonly leadMs: number };
}
