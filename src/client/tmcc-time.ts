// SPDX-License-Identifier: MIT
/** Times of the configuration client, milliseconds. [EMULAB-TMCD 5] */
export const tmccTime = {
  /** Pause after every port has refused; then all are tried again, for ever. */
  retryMs: 10_000,
  /** TCP keep-alive probes start after this much silence. */
  keepAliveMs: 60_000,
} as const;

/** The same list with other values, for tests. */
export type TmccTime = { readonly [Name in keyof typeof tmccTime]: number };
