// SPDX-License-Identifier: MIT
// What one XML-RPC message may hold, whoever sends it. docs/reference/xmlrpc.md lists them.

/** Bytes of one message: four times the greatest experiment file, for what escaping adds. */
export const messageBytesMax: number = 16 * 1024 * 1024;
/** Arrays and structs within each other. */
export const depthMax = 32;
/** Elements of one message, whatever they are. */
export const elementsMax = 1_000_000;
/** Parameters of one call. */
export const paramsMax = 64;
/** Characters in the name of a method. */
export const methodCharsMax = 255;

/** `methodCall`, `params`, `param`, `value`, and the element of the innermost type. */
const elementsAround = 5;
/** `array`, `data`, `value`, or `struct`, `member`, `value`. */
const elementsPerLevel = 3;
/** What `depthMax` comes to in elements. */
export const elementDepthMax: number = elementsAround + elementsPerLevel * depthMax;
