// SPDX-License-Identifier: MIT
// Whom a certificate speaks for. The organizational unit is the kind, the common name is the name:
// a server reads both from the peer's certificate and takes no user for a node. Owns what names may
// be; does not own signatures.
import { isIP } from "node:net";
import { nameCharactersMax, sanCharactersMax, sanCountMax } from "./limits.ts";
import { PkiError } from "./pki-error.ts";

export const subjectKinds = ["server", "node", "user"] as const;
export type SubjectKind = (typeof subjectKinds)[number];

export interface Subject {
  readonly kind: SubjectKind;
  /** Host name or address of a server, id of a node, login of a user. */
  readonly name: string;
}

/** A further name of a certificate. */
export interface AlternativeName {
  readonly kind: "dns" | "ip";
  readonly value: string;
}

export const organization = "Muster";
/** Unit of the certificate that signs the others. */
export const authorityUnit = "authority";

/** What `getPeerCertificate()` of a TLS socket gives, as far as it is read here. */
export interface PeerCertificate {
  readonly subject?: {
    readonly OU?: string | readonly string[];
    readonly CN?: string | readonly string[];
  };
}

/**
 * Whom a peer's certificate speaks for. Says nothing about its signature: ask only on connections
 * that were let in by it.
 * @returns undefined for a certificate that is not of this kind of authority.
 */
export function subjectOfPeer({ subject }: PeerCertificate): Subject | undefined {
  const kind = subjectKinds.find((one) => one === subject?.OU);
  const name = subject?.CN;
  // Two units or two names would leave a choice to whoever reads them.
  return kind === undefined || typeof name !== "string" || name === "" ? undefined : { kind, name };
}

/** Letters of DNS in parts of 63; a `_` is in the names of nodes. */
const hostPart = /^\w(?:[\w-]{0,61}\w)?$/;
/** Safe as the name of a file, too. */
const namePattern = /^[A-Za-z0-9][\w.@-]*$/;

/** @throws PkiError (BAD_NAME) */
export function checkSubject({ kind, name }: Subject): void {
  if (name.length > nameCharactersMax) {
    const message =
      `the name has ${name.length} characters, more than the ${nameCharactersMax} that a ` +
      "certificate takes; shorten it, or put the long one behind --san";
    throw new PkiError("BAD_NAME", message);
  }
  const isGood = kind === "server" ? isHost(name) : namePattern.test(name);
  if (isGood) return;
  const wanted =
    kind === "server"
      ? "the host name or address that clients call"
      : "letters, digits and . _ - @, a letter or digit first";
  throw new PkiError("BAD_NAME", `${JSON.stringify(name)} is no name of a ${kind}; use ${wanted}`);
}

/**
 * The further names: for servers and nodes the name itself is one, because clients of today look
 * nowhere else.
 * @throws PkiError (BAD_NAME)
 */
export function alternativeNames(
  { kind, name }: Subject,
  given: readonly string[],
): readonly AlternativeName[] {
  if (given.length > sanCountMax) {
    const message = `${given.length} names are more than the ${sanCountMax} of one certificate; issue several`;
    throw new PkiError("BAD_NAME", message);
  }
  const own = kind !== "user" && isHost(name) ? [name] : [];
  return [...new Set([...own, ...given])].map((value) => {
    if (isIP(value) !== 0) return { kind: "ip", value };
    if (value.length <= sanCharactersMax && isHost(value.replace(/^\*\./, ""))) {
      return { kind: "dns", value };
    }
    const message = `${JSON.stringify(value)} is neither a host name nor an address; mend --san`;
    throw new PkiError("BAD_NAME", message);
  });
}

function isHost(name: string): boolean {
  return isIP(name) !== 0 || name.split(".").every((part) => hostPart.test(part));
}
