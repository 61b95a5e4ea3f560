// SPDX-License-Identifier: MIT
// Notifications as a library (`musterd/events`): making, reading, checking, authenticating and
// matching them, and their forms on the wire. [EMULAB-EVENTS 1]
//
// Limitations: the frames of a broker of old are in no specification; what travels here is the JSON
// form. `parseExpression` reads what the old library wrote, not the broker's whole language.
export {
  findArg,
  formatArgs,
  formatCompletionArgs,
  getArg,
  getIntegerArg,
  parseCompletionArgs,
} from "./args.ts";
export {
  addLegacyHmac,
  authenticate,
  checkLegacyHmac,
  type KeyedHash,
  nonceBytes,
  readAuthentication,
} from "./authentication.ts";
export { formatExpression, parseExpression } from "./expression.ts";
export { formatNotification, parseNotification } from "./json.ts";
export {
  type Address,
  type Attribute,
  addressOf,
  attributeNames,
  createNotification,
  firingTimeOf,
  getInt32,
  getInt64,
  getOpaque,
  getReal64,
  getText,
  int32Attribute,
  int64Attribute,
  type Notification,
  opaqueAttribute,
  real64Attribute,
  textAttribute,
  toScheduleRequest,
  withAttribute,
  withoutAttribute,
} from "./notification.ts";
export { formatSubject, formatSubjectFilters } from "./subjects.ts";
export { type Filter, matches, parseFilter } from "./subscription.ts";
export { type Verdict, Verifier, type VerifierOptions } from "./verifier.ts";
