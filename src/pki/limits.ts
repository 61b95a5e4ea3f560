// SPDX-License-Identifier: MIT
// Bounds of certificates.

/** Longest name of a subject: what X.509 allows for a common name. */
export const nameCharactersMax = 64;
/** Most further names in one certificate. */
export const sanCountMax = 100;
/** Longest of them: what DNS allows. */
export const sanCharactersMax = 253;
/** Longest life of a certificate: twenty years. */
export const daysMax = 7_300;
/** Largest file read as a certificate or key. */
export const pemBytesMax: number = 256 * 1024;
