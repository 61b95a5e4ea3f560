// SPDX-License-Identifier: MIT
// Certificates as values: makes an authority and what it signs. Owns the fields of X.509; does not
// own files (certificate-directory.ts) or names (subject.ts).
//
//   C1. An authority signs leaves only: there is no authority below it.
//   C2. No certificate outlives the one that signed it.
//   C3. A user or node cannot pass for a server, nor a server for them: the extended usage differs.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIPv4 } from "node:net";
import {
  BitString,
  Integer,
  ObjectIdentifier,
  OctetString,
  Sequence,
  Set as Sets,
  Utf8String,
} from "asn1js";
import {
  AltName,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  GeneralName,
  RelativeDistinguishedNames,
  Time,
} from "pkijs";
import { errorText } from "../core/text.ts";
import { type KeyKind, newKeyPair, newNonce } from "../host/ids.ts";
import { daysMax } from "./limits.ts";
import { PkiError } from "./pki-error.ts";
import {
  type AlternativeName,
  authorityUnit,
  organization,
  type Subject,
  type SubjectKind,
} from "./subject.ts";

/** A certificate and its key, as PEM texts. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface Life {
  /** Now, from the clock. */
  readonly nowMs: number;
  readonly days: number;
}

/** Makes a certificate authority. @throws PkiError (BAD_DAYS) */
export async function createAuthority(keyKind: KeyKind, life: Life): Promise<Issued> {
  const { publicKey, privateKey } = await newKeyPair(keyKind);
  const draft = await draftOf(publicKey, life);
  const { certificate } = draft;
  certificate.subject = distinguishedName(authorityUnit, "Muster certificate authority");
  certificate.issuer = certificate.subject;
  certificate.extensions = [
    // C1.
    extension(
      oids.basicConstraints,
      new BasicConstraints({ cA: true, pathLenConstraint: 0 }).toSchema(),
      "critical",
    ),
    keyUsage(["certificates", "revocations"]),
    extension(oids.subjectKey, draft.keyId),
  ];
  return sign(certificate, privateKey, privateKey);
}

export interface IssueOptions {
  readonly authority: Issued;
  readonly subject: Subject;
  readonly alternativeNames: readonly AlternativeName[];
  readonly life: Life;
}

/**
 * Makes a key and a certificate that the authority signs. The key is of the authority's kind: who
 * cannot read one signature cannot read the other.
 * @throws PkiError (BAD_DAYS, NO_AUTHORITY, DAMAGED)
 */
export async function issueCertificate(options: IssueOptions): Promise<Issued> {
  const { authority, subject, alternativeNames, life } = options;
  const signer = readAuthority(authority, life.nowMs);
  const keyKind = signer.key.asymmetricKeyType === "rsa" ? "rsa" : "ec";
  const { publicKey, privateKey } = await newKeyPair(keyKind);
  const draft = await draftOf(publicKey, life, signer.endsMs);
  const { certificate } = draft;
  certificate.issuer = signer.certificate.subject;
  certificate.subject = distinguishedName(subject.kind, subject.name);
  const keyIdentifier = await keyIdOf(signer.certificate);
  certificate.extensions = [
    extension(oids.basicConstraints, new BasicConstraints({ cA: false }).toSchema(), "critical"),
    // Old clients send the session's key under the server's, when it is of this kind.
    keyUsage(keyKind === "rsa" ? ["signatures", "keys"] : ["signatures"]),
    extension(
      oids.extendedUsage,
      new ExtKeyUsage({ keyPurposes: [usageOf(subject.kind)] }).toSchema(),
    ),
    extension(oids.subjectKey, draft.keyId),
    extension(oids.authorityKey, new AuthorityKeyIdentifier({ keyIdentifier }).toSchema()),
  ];
  if (alternativeNames.length > 0) {
    const altNames = alternativeNames.map(generalName);
    certificate.extensions.push(
      extension(oids.alternativeNames, new AltName({ altNames }).toSchema()),
    );
  }
  return sign(certificate, privateKey, signer.key);
}

/** When a certificate ends, in milliseconds since 1970. */
export function endOf(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime();
}

const oids = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  unit: "2.5.4.11",
  subjectKey: "2.5.29.14",
  keyUsage: "2.5.29.15",
  alternativeNames: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKey: "2.5.29.35",
  extendedUsage: "2.5.29.37",
  serverAuthentication: "1.3.6.1.5.5.7.3.1",
  clientAuthentication: "1.3.6.1.5.5.7.3.2",
} as const;

/** C3. */
function usageOf(kind: SubjectKind): string {
  return kind === "server" ? oids.serverAuthentication : oids.clientAuthentication;
}

interface Signer {
  readonly certificate: Certificate;
  readonly key: KeyObject;
  readonly endsMs: number;
}

function readAuthority({ certificate: pem, key: keyPem }: Issued, nowMs: number): Signer {
  const { certificate, key, isCa, endsMs } = parse(pem, keyPem);
  if (!isCa) {
    throw new PkiError("DAMAGED", "the authority's certificate is not one that may sign others");
  }
  if (endsMs <= nowMs) {
    const message = `the authority has expired (${new Date(endsMs).toISOString()}); make a new one with: muster cert init --dir DIR`;
    throw new PkiError("NO_AUTHORITY", message);
  }
  return { certificate, key, endsMs };
}

function parse(pem: string, keyPem: string) {
  try {
    const x509 = new X509Certificate(pem);
    const key = createPrivateKey(keyPem);
    if (!x509.checkPrivateKey(key)) throw new Error("the key is not the certificate's");
    const certificate = Certificate.fromBER(x509.raw);
    return { certificate, key, isCa: x509.ca, endsMs: x509.validToDate.getTime() };
  } catch (error) {
    const why = errorText(error);
    const message = `the authority cannot be used: ${why}; restore its files, or make another one`;
    throw new PkiError("DAMAGED", message, { cause: error });
  }
}

const dayMs = 86_400_000;
/** Clocks of nodes may be behind by so much. */
const clockSlackMs = 3_600_000;

/** A certificate with key, serial number and life. C2. */
async function draftOf(publicKey: KeyObject, life: Life, endsMsMax = Number.POSITIVE_INFINITY) {
  const { nowMs, days } = life;
  if (!Number.isInteger(days) || days < 1 || days > daysMax) {
    throw new PkiError(
      "BAD_DAYS",
      `a certificate lives for 1 to ${daysMax} whole days, not ${days}`,
    );
  }
  const certificate = new Certificate();
  certificate.version = 2; // Version 3 is written so.
  certificate.serialNumber = new Integer({ valueHex: serialNumber() });
  certificate.notBefore = timeOf(nowMs - clockSlackMs);
  certificate.notAfter = timeOf(Math.min(nowMs + days * dayMs, endsMsMax));
  await certificate.subjectPublicKeyInfo.importKey(
    publicKey.toCryptoKey(algorithmOf(publicKey), true, ["verify"]),
  );
  return { certificate, keyId: await keyIdOf(certificate) };
}

/** 127 random bits behind a one: positive, and never written with a leading zero. */
function serialNumber(): ArrayBuffer {
  const bytes = newNonce(16);
  const serial = new Uint8Array(bytes.length);
  serial.set(bytes);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial.buffer;
}

const years2050Ms = 2_524_608_000_000;

/** From 2050 on years need four digits; parts of seconds may not be written. */
function timeOf(ms: number): Time {
  const value = new Date(Math.trunc(ms / 1_000) * 1_000);
  return new Time({ type: ms < years2050Ms ? 0 : 1, value });
}

async function keyIdOf(certificate: Certificate): Promise<OctetString> {
  return new OctetString({ valueHex: await certificate.getKeyHash() });
}

function algorithmOf(key: KeyObject) {
  return key.asymmetricKeyType === "rsa"
    ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
    : { name: "ECDSA", namedCurve: "P-256" };
}

/**
 * One attribute in each part of the name, as everybody else writes it; the library has one part.
 */
function distinguishedName(unit: string, commonName: string): RelativeDistinguishedNames {
  const attributes = [
    [oids.organization, organization],
    [oids.unit, unit],
    [oids.commonName, commonName],
  ] as const;
  const parts = attributes.map(([type, text]) => {
    const pair = [new ObjectIdentifier({ value: type }), new Utf8String({ value: text })];
    return new Sets({ value: [new Sequence({ value: pair })] });
  });
  return RelativeDistinguishedNames.fromBER(new Sequence({ value: parts }).toBER());
}

type Encodable = { toBER(sizeOnly?: boolean): ArrayBuffer };

function extension(extnID: string, value: Encodable, weight: "critical" | "plain" = "plain") {
  const extnValue = value.toBER(false);
  return new Extension({ extnID, critical: weight === "critical", extnValue });
}

/** Bits from the left: what a key may be used for. */
const usages = ["signatures", "", "keys", "", "", "certificates", "revocations"] as const;

function keyUsage(allowed: readonly (typeof usages)[number][]): Extension {
  let bits = 0;
  for (const usage of allowed) bits |= 0x80 >> usages.indexOf(usage);
  const last = Math.max(...allowed.map((usage) => usages.indexOf(usage)));
  const valueHex = new Uint8Array([bits]).buffer;
  return extension(oids.keyUsage, new BitString({ valueHex, unusedBits: 7 - last }), "critical");
}

function generalName({ kind, value }: AlternativeName): GeneralName {
  if (kind === "dns") return new GeneralName({ type: 2, value });
  return new GeneralName({ type: 7, value: new OctetString({ valueHex: addressBytes(value) }) });
}

/** The bytes of an address that is known to be one. */
function addressBytes(address: string): ArrayBuffer {
  if (isIPv4(address)) return new Uint8Array(address.split(".").map(Number)).buffer;
  // The parser of addresses writes a dotted end as two groups.
  const { hostname } = new URL(`http://[${address}]`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  const all = [...before, ...zeros, ...after];
  return new Uint8Array(all.flatMap((group) => [group >> 8, group & 0xff])).buffer;
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

async function sign(certificate: Certificate, key: KeyObject, signer: KeyObject): Promise<Issued> {
  await certificate.sign(signer.toCryptoKey(algorithmOf(signer), true, ["sign"]), "SHA-256");
  const der = Buffer.from(certificate.toSchema(true).toBER(false));
  return {
    certificate: new X509Certificate(der).toString(),
    key: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
